"""Metric families as a declaration says them, and the state of a histogram: types, labels, units, buckets.

Part of `declare`, which a tracer imports; data as there. What is sound of them `soundness` checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Exponential:
    """Base-2 exponential buckets, 4 to each power of two (native histogram schema 2).

    Exported as classic buckets with the bounds 2**lowest, 2**(lowest+1) … 2**highest, which are exact
    because every classic bound is the upper bound of a sub-bucket. Bounds are in the metric's unit.
    """

    lowest: int = -20  # 0.95 µs
    highest: int = 4  # 16 s

    def bounds(self) -> tuple[float, ...]:
        return tuple(2.0**k for k in range(self.lowest, self.highest + 1))


@dataclass(frozen=True, slots=True)
class Explicit:
    """Upper bounds written out, ascending, without +Inf, in the metric's unit."""

    upper: tuple[float, ...]

    def bounds(self) -> tuple[float, ...]:
        return self.upper


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family. `name` is the full literal name as exported (a counter's ends in `_total`).

    `labels` are the label names in the order in which workers give their values.
    `unit` is the base unit (seconds, bytes, …) and the suffix of the name before `_total`; "" when it has none.
    """

    kind: ClassVar[str] = ""
    name: str
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    series: int = 1000  # the greatest number of series that this metric is expected to have


@dataclass(frozen=True, slots=True)
class Counter(Metric):
    kind: ClassVar[str] = "counter"


@dataclass(frozen=True, slots=True)
class Gauge(Metric):
    kind: ClassVar[str] = "gauge"


@dataclass(frozen=True, slots=True)
class Info(Gauge):
    """Always 1; its labels are what it tells. Its name ends in `_info`."""


@dataclass(frozen=True, slots=True)
class Histogram(Metric):
    kind: ClassVar[str] = "histogram"
    buckets: Exponential | Explicit = field(default_factory=Exponential)


@dataclass(frozen=True, slots=True)
class Counts:
    """A histogram's present state: `counts[n]` observations in sub-bucket `first + n`, cumulative since the start.

    Sub-bucket i of schema 2 holds the values in (2**((i-1)/4), 2**(i/4)]; `zero` counts those at or below 0.
    With Explicit bounds, sub-bucket i is the i-th bound and `len(bounds)` is +Inf.
    `sum` is in the metric's unit.
    """

    sum: float
    counts: Sequence[int]
    first: int = 0
    zero: int = 0
