"""The words of one series in Prometheus and OpenMetrics text: `name{label="value"}`. Judges no name."""

from __future__ import annotations

import re

SERIES = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*+)[ \t]*+(?:\{(.*)\})?[ \t]*+", re.ASCII | re.DOTALL)
LABEL = re.compile(r'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\\n]|\\.)*)"[ \t]*(,|$)', re.ASCII)
ESCAPE = re.compile(r"\\(.)")
VALUE = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?[iI]nf(?:inity)?|[nN]a[nN]", re.ASCII)
VALUE_CHARACTERS = 400
WHOLE_DIGITS = 18  # what fits 64 bits; beyond it a number is a float, as in JSON


def series_of(text: str) -> tuple[str, dict[str, str]] | None:
    """Name and labels of a series; None when the text is no series, or has anything after it."""
    found = SERIES.fullmatch(text)
    if found is None:
        return None
    labels: dict[str, str] = {}
    inner = (found[2] or "").strip(" \t")
    at = 0
    while at < len(inner):
        label = LABEL.match(inner, at)
        if label is None or label[1] in labels:
            return None
        labels[label[1]] = ESCAPE.sub(_unescape, label[2]) if "\\" in label[2] else label[2]
        at = label.end()
    return found[1], labels


def value_of(text: str) -> int | float | None:
    """The number of a sample, with Prometheus' words for infinities and NaN; None when it is none."""
    if len(text) > VALUE_CHARACTERS or VALUE.fullmatch(text) is None:
        return None
    return int(text) if text.isdigit() and len(text) <= WHOLE_DIGITS else float(text)


def _unescape(found: re.Match[str]) -> str:
    return "\n" if found[1] == "n" else found[1] if found[1] in '\\"' else found[0]
