"""Prints metrics and labels that nobody declared, among good ones."""

import json
import sys

from wire import NAME, end, sample

for count, _ in enumerate(sys.stdin, 1):
    sample(1, name="scalpels_secret_total")
    sample(1, name="up")
    print(json.dumps([f"scalpels_{NAME}_events_total", ["a", "b"], 1]))
    print(json.dumps([f"scalpels_{NAME}_events_total", [], 1]))
    print(json.dumps([f"scalpels_{NAME}_events_total", [7], 1]))
    sample(count)
    end()
