"""Writes the format `samples`, for the children beside it. Checks nothing: they are here to do wrong."""

import json
import sys

NAME = sys.argv[1]
EVENTS = f"scalpels_{NAME}_events_total"


def sample(value, kind="a", name=EVENTS):
    print(json.dumps([name, [kind], value]))


def end():
    print(json.dumps({"end": True}), flush=True)
