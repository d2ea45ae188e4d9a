"""Format `log2`: the power-of-two histograms that bcc and bpftrace print.

Every observation counts at the upper end of its interval, so that no bucket claims more than the tool measured.
The sum is exact where the tool prints its total, else it is estimated from the middles of the intervals.
Text between the histograms (banners, times) is passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from scalpels_exporter.declare import Histogram, Log2
from scalpels_exporter.intake.binding import bind, put_check
from scalpels_exporter.intake.buckets import Buckets
from scalpels_exporter.intake.ledger import Ledger

BCC_HEADER = re.compile(r"^\s*+\S.*: count\s++distribution\s*$")
BCC_BUCKET = re.compile(r"^\s*(\d{1,20}) -> (\d{1,20})\s*: (\d{1,20})\s*\|")
BCC_SECTION = re.compile(r"^(\w[\w /-]*) = (.*)$")
BCC_TOTAL = re.compile(r"^\s*+avg = \d++ [^:]*total: (\d{1,30}) [^:]*count: (\d{1,20})\s*$")
BPFTRACE_HEADER = re.compile(r"^@(\w*)(?:\[(.*)\])?:\s*$")
BPFTRACE_BUCKET = re.compile(
    r"^([\[(])(-?\d{1,20}[KMGTPE]?|\.\.\.)(?:, (-?\d{1,20}[KMGTPE]?|\.\.\.))?[\])]\s+(\d{1,20}) \|"
)
SUFFIXES = {letter: 1 << 10 * power for power, letter in enumerate("KMGTPE", 1)}
ROWS = 256  # a 64-bit quantity needs 65, with bpftrace's negative half 130

Row = tuple[float, float, int]  # from, up to (exclusive), count


@dataclass
class Printed:
    """One histogram as it is being read."""

    section: str
    rows: list[Row] = field(default_factory=list)

    def observations(self) -> int:
        return sum(count for _, _, count in self.rows)

    def estimate(self) -> float:
        return sum((low + high) / 2 * count for low, high, count in self.rows)


class Log2Parser:
    """A histogram is taken over when the line after it shows that it is whole, or at the end of a run."""

    def __init__(self, form: Log2, ledger: Ledger) -> None:
        self._ledger = ledger
        self._section = ""
        self._open: Printed | None = None
        self._since_total = 0  # histograms since the last total: of several, a total is nobody's
        self._bound = bind(form.bindings, ledger, observes=False)[0]

    def line(self, text: str) -> bool:
        row = bucket_of(text)
        if row is not None:
            if self._open is not None and len(self._open.rows) < ROWS:
                self._open.rows.append(row)
            return False
        if not text.strip():
            return False
        if (total := BCC_TOTAL.match(text)) is not None:
            self._take(int(total[1]), int(total[2]))
            self._since_total = 0
            return False
        self._take()
        if BCC_HEADER.match(text):
            self._open = Printed(self._section)
        elif (header := BPFTRACE_HEADER.match(text)) is not None:
            self._open = Printed(header[2] or "")
        elif (section := BCC_SECTION.match(text)) is not None:
            self._section = bare(section[2].rstrip())
            return False
        self._section = ""
        return False

    def end(self) -> None:
        self._take()
        self._since_total = 0
        self._section = ""

    def restarted(self) -> None:
        self._open = None
        self._since_total = 0
        self._section = ""

    def _take(self, total: int | None = None, of: int = 0) -> None:
        """Takes the histogram just read; `total` is what the tool says its `of` observations sum up to."""
        printed, self._open = self._open, None
        if printed is None or not printed.rows or self._ledger.spoiled:
            return
        self._since_total += 1
        amount = printed.estimate()
        if total is not None and of > 0 and self._since_total == 1:
            # The tool reads its total and its buckets one after the other, under load the two may differ by a few.
            amount = total * (printed.observations() / of)
        key = self._bound.key({"section": printed.section})
        if key is None:
            return
        if self._bound.sums is None:
            assert isinstance(self._bound.metric, Histogram)
            histogram: Buckets | None = Buckets(self._bound.metric.buckets)
        else:
            histogram = self._bound.sums.histogram(key)
        if histogram is None:
            return
        scale = self._bound.scale
        for _, high, count in printed.rows:
            if count:
                histogram.observe(high * scale, count)
        histogram.add_sum(amount * scale)
        if self._bound.sums is None:
            put_check(self._bound.check, key, histogram.state(), self._ledger)


def bucket_of(text: str) -> Row | None:
    """The interval and count of a line, None where the line is no bucket."""
    if (found := BCC_BUCKET.match(text)) is not None:
        return float(found[1]), float(int(found[2]) + 1), int(found[3])
    if (found := BPFTRACE_BUCKET.match(text)) is None:
        return None
    count = int(found[4])
    if found[3] is None:
        # `[0]` are zeros, `[1]` is all that was rounded down to 1.
        low = 0.0 if found[2] == "..." else quantity(found[2])
        return low, low + 1 if low else 0.0, count
    # Of an open end nothing is known but its one bound.
    low = quantity(found[3] if found[2] == "..." else found[2])
    return low, low if found[3] == "..." else quantity(found[3]), count


def quantity(text: str) -> float:
    """`512`, `1K`, `-4`: bpftrace's suffixes are powers of 1024."""
    return float(int(text[:-1]) * SUFFIXES[text[-1]]) if text[-1] in SUFFIXES else float(text)


def bare(text: str) -> str:
    """A section's name without the quotes of Python's repr: `'read'`, `b'sda'`."""
    inner = text.removeprefix("b")
    return inner[1:-1] if len(inner) > 1 and inner[0] in "'\"" and inner[-1] == inner[0] else text
