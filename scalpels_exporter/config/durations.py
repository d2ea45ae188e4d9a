"""Spans of time as people write them (`10s`, `1h30m`) and as programs count them (seconds). Text only, no clock."""

from __future__ import annotations

import re
from itertools import pairwise

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[dhms]))+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])", re.ASCII)
_BARE = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_LONGEST_SECONDS = 10 * 365 * 86400.0


def parse(text: str) -> float:
    """Seconds in `10s`, `5m`, `1h30m`, `250ms`, `2d` or a bare number of seconds.

    ValueError, with a text for the user, for anything else, for a unit given twice or out of order
    (`5m1h`, most often a slip) and for more than ten years.
    """
    word = text.strip()
    if len(word) > 40:
        raise ValueError("expected a duration such as 10s, 5m or 1h30m, got a long text")
    if _BARE.fullmatch(word):
        seconds = float(word)
    elif _WHOLE.fullmatch(word):
        parts = [(float(number), _UNITS[unit]) for number, unit in _PART.findall(word)]
        sizes = [size for _, size in parts]
        if any(later >= earlier for earlier, later in pairwise(sizes)):
            raise ValueError(f'expected a duration with its units from long to short, got "{word}"')
        seconds = sum(number * size for number, size in parts)
    else:
        raise ValueError(f'expected a duration such as 10s, 5m or 1h30m, got "{word}"')
    if seconds > _LONGEST_SECONDS:
        raise ValueError(f"expected a duration of at most ten years, got {word}")
    return seconds


def render(seconds: float) -> str:
    """The shortest exact text down to milliseconds: 600 → `10m`, 5400 → `1h30m`, 0.25 → `250ms`, 0 → `0s`.

    ValueError for a negative number, an infinity or NaN.
    """
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"no duration: {seconds}")
    left = round(seconds * 1000)
    words = []
    for unit, size in _UNITS.items():
        number, left = divmod(left, round(size * 1000))
        if number:
            words.append(f"{number}{unit}")
    return "".join(words) or "0s"
