"""One metric's series → lines, by templates in which all but the numbers is written already.

A series' labels and bounds are escaped and written once, when the series appears; a scrape fills in numbers.
Templates of series that vanish are forgotten with them. The lines are the same in text and in OpenMetrics.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from operator import truediv
from typing import cast

from scalpels_exporter.declare import Counts, Exponential, Histogram, Metric, Number
from scalpels_exporter.exposition.numerals import (
    EXPONENT_FROM,
    bound_numeral,
    count_numeral,
    escape_label,
    numeral,
)
from scalpels_exporter.intake.snapshot import Family, LabelValues

EXACT_BELOW = 10**15  # a quotient of so many digits is written with just these digits


class Series:
    """One series' templates, and its place in the family as the worker prints it.

    `wide` is the template of a histogram with large counts: `powers` is what they are divided by, `cuts` where the
    magnitudes change. All three are of the last time, since magnitudes seldom change.
    """

    __slots__ = ("cuts", "key", "place", "powers", "template", "wide")

    def __init__(self, key: LabelValues, place: int, template: bytes) -> None:
        self.key = key
        self.place = place
        self.template = template
        self.cuts: list[int] = []
        self.powers: list[int] = []
        self.wide = b""


class Shelf:
    """The series of one metric in the order of their label values; built anew when others come or the order changes."""

    def __init__(self, write: Callable[[LabelValues], bytes]) -> None:
        self._write = write
        self._printed: list[LabelValues] = []
        self._series: list[Series] = []

    def series(self, family: Family) -> list[Series]:
        printed = list(family)
        if printed != self._printed:
            known = {series.key: series for series in self._series}
            places = {key: place for place, key in enumerate(printed)}
            self._series = [self._placed(known.get(key), key, places[key]) for key in sorted(printed)]
            self._printed = printed
        return self._series

    def _placed(self, known: Series | None, key: LabelValues, place: int) -> Series:
        if known is None:
            return Series(key, place, self._write(key))
        known.place = place
        return known


class NumberLines:
    """The lines of a counter or gauge."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._shelf = Shelf(self._head)

    def render(self, family: Family) -> Iterator[bytes]:
        """The lines of the family, in the order of the label values."""
        values = cast("list[Number]", list(family.values()))
        for series in self._shelf.series(family):
            yield b"%b%b\n" % (series.template, numeral(values[series.place]))

    def _head(self, key: LabelValues) -> bytes:
        labels = ",".join(_pairs(self._metric.labels, key))
        return f"{self._metric.name}{{{labels}}} ".encode() if labels else f"{self._metric.name} ".encode()


class HistogramLines:
    """The lines of a histogram: classic buckets, count and sum."""

    def __init__(self, metric: Histogram) -> None:
        self._metric = metric
        self._bounds = metric.buckets.bounds()
        # Sub-bucket `base + step * n` is the last one at or below bound n.
        exponential = isinstance(metric.buckets, Exponential)
        self._base = 4 * metric.buckets.lowest if isinstance(metric.buckets, Exponential) else 0
        self._step = 4 if exponential else 1
        # Where no observation is negative there are a sum and a count, as OpenMetrics wants it.
        self._has_sum = not self._bounds or self._bounds[0] >= 0
        self._shelf = Shelf(self._template)

    def render(self, family: Family) -> Iterator[bytes]:
        """The lines of each series, in the order of the label values."""
        states = cast("list[Counts]", list(family.values()))
        base, step, size, has_sum = self._base, self._step, len(self._bounds), self._has_sum
        for series in self._shelf.series(family):
            state = states[series.place]
            counts = state.counts
            running = list(accumulate(counts, initial=state.zero))
            start = base + 1 - state.first
            if start >= 0 and start + step * (size - 1) <= len(counts):
                cumulative = running[start : start + step * size : step]
            else:
                cumulative = _spread(running, start, step, size)
            total = running[-1]
            amount = state.sum
            figure = b"%a" % amount if amount.__class__ is float and amount < EXPONENT_FROM else numeral(amount)
            if has_sum and total < EXPONENT_FROM:
                yield series.template % (*cumulative, total, total, figure)
            else:
                yield self._render_wide(series, [*cumulative, total], figure)

    def _render_wide(self, series: Series, cumulative: list[int], figure: bytes) -> bytes:
        """As the template does, with counts of any magnitude.

        `1234567` is written 1.234567e+06: the shortest digits of 1234567 / 10**6, and an exponent that stands in the
        template. That is right up to 15 digits, and except for 2e+06 and its like, whose quotient is written 2.0.
        """
        if self._has_sum:
            cumulative.append(cumulative[-1])
        if cumulative[-1] < EXACT_BELOW:
            cuts = []
            limit = EXPONENT_FROM
            while limit <= cumulative[-1]:
                cuts.append(bisect_left(cumulative, limit))
                limit *= 10
            if cuts != series.cuts or not series.wide:
                exponents = [5 + n if (n := sum(cut <= at for cut in cuts)) else 0 for at in range(len(cumulative))]
                series.cuts, series.powers = cuts, [10**exponent for exponent in exponents]
                series.wide = self._write(series.key, [f"%ae+{e:02d}" if e else "%a" for e in exponents])
            numbers = map(truediv, cumulative, series.powers)
            lines = series.wide % ((*numbers, figure) if self._has_sum else tuple(numbers))
            if b".0e+" not in lines:
                return lines
        numerals = [count_numeral(count) for count in cumulative]
        exact = self._write(series.key, ["%b"] * len(numerals))
        return exact % ((*numerals, figure) if self._has_sum else tuple(numerals))

    def _template(self, key: LabelValues) -> bytes:
        return self._write(key, ["%d.0"] * (len(self._bounds) + 2))

    def _write(self, key: LabelValues, counts: Sequence[str]) -> bytes:
        """The lines with a place for each count, the last for the number of all observations, and one for the sum."""
        name, labels = self._metric.name, _pairs(self._metric.labels, key)
        place = sum(label < "le" for label in self._metric.labels)
        before = "".join(f"{pair}," for pair in labels[:place]).replace("%", "%%")
        after = "".join(f",{pair}" for pair in labels[place:]).replace("%", "%%")
        lines = [
            f'{name}_bucket{{{before}le="{bound}"{after}}} {count}\n'
            for bound, count in zip((*map(bound_numeral, self._bounds), "+Inf"), counts, strict=False)
        ]
        if self._has_sum:
            inner = ",".join(labels).replace("%", "%%")
            braced = f"{{{inner}}}" if inner else ""
            lines += [f"{name}_count{braced} {counts[-1]}\n", f"{name}_sum{braced} %b\n"]
        return "".join(lines).encode()


def lines_of(metric: Metric) -> NumberLines | HistogramLines:
    return HistogramLines(metric) if isinstance(metric, Histogram) else NumberLines(metric)


def _spread(running: Sequence[int], start: int, step: int, size: int) -> list[int]:
    """`running[start]`, `running[start + step]` … as though it went on for ever on both sides."""
    left = 0 if start >= 0 else min(size, -(start // step))
    middle = running[start + step * left :: step][: size - left] if left < size else []
    return [*[running[0]] * left, *middle, *[running[-1]] * (size - left - len(middle))]


def _pairs(names: Sequence[str], values: LabelValues) -> list[str]:
    """`name="value"`, in the order of the names."""
    return [f'{name}="{escape_label(value)}"' for name, value in sorted(zip(names, values, strict=True))]
