"""Durations on the command line: `10s`, `5m`, checked while the arguments are parsed."""

from __future__ import annotations

from argparse import ArgumentTypeError

from scalpels_exporter.config.durations import parse


def duration(text: str) -> float:
    """Seconds, more than 0."""
    try:
        seconds = parse(text)
    except ValueError as problem:
        raise ArgumentTypeError(str(problem)) from None
    if seconds <= 0:
        raise ArgumentTypeError("expected a duration above 0")
    return seconds
