"""One metric's series → lines, by templates in which all but the numbers is written already.

A series' labels and bounds are escaped and written once, when the series appears; a scrape fills in numbers.
Templates of series that vanish are forgotten with them. The lines are the same in text and in OpenMetrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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


class NumberLines:
    """The lines of a counter or gauge."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._heads: dict[LabelValues, bytes] = {}

    def render(self, family: Family) -> Iterator[bytes]:
        """The lines of the family, in the order of the label values."""
        if family.keys() != self._heads.keys():
            self._heads = _keep(self._heads, family, self._head)
        numbers = cast("Mapping[LabelValues, Number]", family)
        for key, head in self._heads.items():
            yield b"%b%b\n" % (head, numeral(numbers[key]))

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
        self._templates: dict[LabelValues, bytes] = {}
        self._wide: dict[LabelValues, bytes] = {}

    def render(self, family: Family) -> Iterator[bytes]:
        """The lines of each series, in the order of the label values."""
        if family.keys() != self._templates.keys():
            self._templates = _keep(self._templates, family, self._template)
            self._wide = {key: template for key, template in self._wide.items() if key in family}
        states = cast("Mapping[LabelValues, Counts]", family)
        base, step, size, has_sum = self._base, self._step, len(self._bounds), self._has_sum
        for key, template in self._templates.items():
            state = states[key]
            counts = state.counts
            running = list(accumulate(counts, initial=state.zero))
            start = base + 1 - state.first
            if start >= 0 and start + step * (size - 1) <= len(counts):
                cumulative = running[start : start + step * size : step]
            else:
                cumulative = _spread(running, start, step, size)
            total = running[-1]
            amount = state.sum
            if has_sum and total < EXPONENT_FROM and amount.__class__ is float and amount < EXPONENT_FROM:
                yield template % (*cumulative, total, total, amount)
            else:
                yield self._render_wide(key, [*cumulative, total], amount)

    def _render_wide(self, key: LabelValues, cumulative: Sequence[int], amount: float) -> bytes:
        """As the template does, with numbers of any size."""
        wide = self._wide.get(key)
        if wide is None:
            wide = self._wide[key] = self._write(key, "%b", "%b")
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


def _keep(
    known: Mapping[LabelValues, bytes], family: Family, write: Callable[[LabelValues], bytes]
) -> dict[LabelValues, bytes]:
    """What is known of the series in the family, in their order; new ones are written, vanished ones forgotten."""
    return {key: known.get(key) or write(key) for key in sorted(family)}


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
