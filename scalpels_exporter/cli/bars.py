"""A histogram as bars, one bucket a line, the longest as wide as the screen allows."""

from __future__ import annotations

import math

from rich.text import Text

from scalpels_exporter.cli.human import count, quantity
from scalpels_exporter.cli.screen import Screen
from scalpels_exporter.cli.spread import Bucket, Spread

EIGHTHS = " ▏▎▍▌▋▊▉"
WIDEST = 60  # cells
PLAIN_WIDTH = 100  # of a line where there is no terminal
LONGEST_GAP = 3  # empty buckets in a row that are drawn


def bar(share: float, width: int) -> str:
    """`share` of `width` cells, to an eighth of a cell; what is not nothing is seen."""
    eighths = round(min(1.0, max(0.0, share)) * width * 8)
    if share > 0:
        eighths = max(1, eighths)
    full, rest = divmod(eighths, 8)
    return "█" * full + (EIGHTHS[rest] if rest else "")


def draw_bars(spread: Spread, unit: str, name: str, screen: Screen) -> None:
    """`name` of the series, if it needs one, then a line for each bucket: its range, its count, its bar."""
    labels = [_range(bucket, unit) for bucket in spread.buckets]
    counts = [count(bucket.count) for bucket in spread.buckets]
    low_width = max((len(low) for low, _ in labels), default=0)
    high_width = max((len(high) for _, high in labels), default=0)
    count_width = max((len(text) for text in counts), default=0)
    taken = 4 + low_width + 3 + high_width + 2 + count_width + 2
    width = max(8, min(WIDEST, (screen.width or PLAIN_WIDTH) - taken))
    most = max((bucket.count for bucket in spread.buckets), default=0)
    if name:
        screen.line(Text(f"  {name}", "bold"))
    gap = 0
    for bucket, (low, high), number in zip(spread.buckets, labels, counts, strict=True):
        gap = 0 if bucket.count else gap + 1
        if gap > LONGEST_GAP:
            if gap == LONGEST_GAP + 1:
                screen.line(Text(" " * (4 + low_width + 1) + "…", "dim"))
            continue
        dash = "–" if low else " "
        line = Text(f"    {low:>{low_width}} {dash} {high:>{high_width}}  ").append(f"{number:>{count_width}}")
        screen.line(line.append("  ").append(bar(bucket.count / most, width), "blue"))


def _range(bucket: Bucket, unit: str) -> tuple[str, str]:
    """The bounds as texts; an open side is said by a sign."""
    if math.isinf(bucket.high):
        return "", f"> {quantity(bucket.low, unit)}"
    if math.isinf(bucket.low) or bucket.low == bucket.high:
        return "", f"≤ {quantity(bucket.high, unit)}"
    return quantity(bucket.low, unit), quantity(bucket.high, unit)
