"""One metric's series → lines, by templates in which all but the numbers is written already.

A series' labels and bounds are escaped and written once, when the series appears; a scrape fills in numbers.
Templates of series that vanish are forgotten with them. The lines are the same in text and in OpenMetrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import cast

from scalpels_exporter.declare import Counts, Exponential, Histogram, Metric, Number
from scalpels_exporter.exposition.numerals import (
    EXPONENT_FROM,
    bound_numeral,
    count_numeral,
    escape_label,
    float_numeral,
    numeral,
)
from scalpels_exporter.intake.snapshot import Family, LabelValues


class Series:
    """One series' templates, and its place in the family as the worker prints it."""

    __slots__ = ("key", "place", "template", "wide")

    def __init__(self, key: LabelValues, place: int, template: bytes, wide: bytes = b"") -> None:
        self.key = key
        self.place = place
        self.template = template
        self.wide = wide


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
            self._series = [self._place(known.get(key), key, places[key]) for key in sorted(printed)]
            self._printed = printed
        return self._series

    def _place(self, known: Series | None, key: LabelValues, place: int) -> Series:
        return Series(key, place, known.template, known.wide) if known else Series(key, place, self._write(key))


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
            counts, amount = state.counts, state.sum
            running = list(accumulate(counts, initial=state.zero))
            start = base + 1 - state.first
            if start >= 0 and start + step * (size - 1) <= len(counts):
                cumulative = running[start : start + step * size : step]
            else:
                cumulative = _spread(running, start, step, size)
            total = running[-1]
            if has_sum and total < EXPONENT_FROM and amount.__class__ is float and amount < EXPONENT_FROM:
                yield series.template % (*cumulative, total, total, amount)
            else:
                yield self._render_wide(series, [*cumulative, total], amount)

    def _render_wide(self, series: Series, cumulative: Sequence[int], amount: float) -> bytes:
        """As the template does, with numbers of any size."""
        wide = series.wide = series.wide or self._write(series.key, "%b", "%b")
        numerals = [count_numeral(count) for count in cumulative]
        if not self._has_sum:
            return wide % tuple(numerals)
        return wide % (*numerals, numerals[-1], float_numeral(float(amount)))

    def _template(self, key: LabelValues) -> bytes:
        return self._write(key, "%d.0", "%a")

    def _write(self, key: LabelValues, count: str, amount: str) -> bytes:
        name, labels = self._metric.name, _pairs(self._metric.labels, key)
        place = sum(label < "le" for label in self._metric.labels)
        before = "".join(f"{pair}," for pair in labels[:place]).replace("%", "%%")
        after = "".join(f",{pair}" for pair in labels[place:]).replace("%", "%%")
        lines = [
            f'{name}_bucket{{{before}le="{bound}"{after}}} {count}\n'
            for bound in (*map(bound_numeral, self._bounds), "+Inf")
        ]
        if self._has_sum:
            inner = ",".join(labels).replace("%", "%%")
            braced = f"{{{inner}}}" if inner else ""
            lines += [f"{name}_count{braced} {count}\n", f"{name}_sum{braced} {amount}\n"]
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
