"""Cells of a table about what was timed: how often, how long, what failed. Pure; draws nothing."""

from __future__ import annotations

from collections import Counter as Tally

from rich.text import Text

from scalpels_exporter.cli.clean import clean
from scalpels_exporter.cli.human import count, quantity, rate
from scalpels_exporter.cli.spread import Spread

TITLES = ("COUNT", "RATE", "P50", "P99", "SUM")  # of `cells_of`
MOST_CODES = 3  # that are named of what failed


def cells_of(spread: Spread, seconds: float) -> list[str]:
    """`seconds` is how long it was watched."""
    return [
        count(spread.count),
        rate(spread.count / seconds, "") if seconds else "",
        quantity(spread.quantile(0.5), "seconds"),
        quantity(spread.quantile(0.99), "seconds"),
        quantity(spread.sum, "seconds"),
    ]


def errors_of(codes: Tally[str]) -> list[Text | str]:
    """How many, and which."""
    if not codes:
        return ["", ""]
    named = ", ".join(f"{clean(code)} × {count(times)}" for code, times in codes.most_common(MOST_CODES))
    return [Text(count(codes.total()), "red"), Text(named, "red")]
