"""What snapshots show over a while: what counters and histograms gained, where gauges stood. Draws nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from scalpels_exporter.cli.spread import Spread, gained
from scalpels_exporter.declare import (
    Counts,
    Explicit,
    Exponential,
    Histogram,
    Log2,
    Metric,
    OpenMetrics,
    Samples,
    Tracer,
)
from scalpels_exporter.intake.snapshot import LabelValues, Snapshot, Value


@dataclass(frozen=True, slots=True)
class Gain:
    """A counter's series."""

    labels: LabelValues
    change: float


@dataclass(frozen=True, slots=True)
class Level:
    """A gauge's series: where it stands, and between which values it was seen."""

    labels: LabelValues
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Distribution:
    """A histogram's series."""

    labels: LabelValues
    spread: Spread


Row = Gain | Level | Distribution


@dataclass(frozen=True, slots=True)
class Seen:
    """One metric. `rows` are in order of importance; series that did not change are only counted."""

    metric: Metric
    rows: tuple[Row, ...]
    unchanged: int = 0


@dataclass
class Span:
    """The first and the last snapshot of a while, and the extremes of gauges between them.

    Counters that the agent itself adds up begin at nothing when the worker starts, all others at the first snapshot.
    """

    tracer: Tracer
    started: float = 0.0  # unix time of the worker's start
    first: Snapshot | None = None
    last: Snapshot | None = None
    count: int = 0
    _extremes: dict[tuple[str, LabelValues], tuple[float, float]] = field(default_factory=dict)

    def add(self, snapshot: Snapshot) -> None:
        self.first = self.first or snapshot
        self.last = snapshot
        self.count += 1
        for metric in self.tracer.metrics:
            if metric.kind == "gauge":
                for labels, value in snapshot.families.get(metric.name, {}).items():
                    if not isinstance(value, Counts):
                        low, high = self._extremes.get((metric.name, labels), (value, value))
                        self._extremes[metric.name, labels] = (min(low, value), max(high, value))

    @property
    def seconds(self) -> float:
        """Between the first snapshot and the last; from the worker's start where everything began at nothing."""
        if self.first is None or self.last is None:
            return 0.0
        begin = self.started if all(self._added_up(m) for m in self.tracer.metrics) else self.first.taken
        return max(0.0, self.last.taken - begin)

    def metrics(self) -> Iterator[Seen]:
        """In the order of the declaration."""
        for metric in self.tracer.metrics:
            now = self.last.families.get(metric.name, {}) if self.last else {}
            before = self.first.families.get(metric.name, {}) if self.first and not self._added_up(metric) else {}
            match metric.kind:
                case "gauge":
                    yield self._levels(metric, dict(now))
                case "histogram":
                    yield self._distributions(metric, dict(before), dict(now))
                case _:
                    yield _gains(metric, dict(before), dict(now))

    def _added_up(self, metric: Metric) -> bool:
        form = self.tracer.runs.format
        if isinstance(form, Samples | OpenMetrics):
            return False
        return any(b.metric == metric.name and b.counts == "increments" for b in form.bindings)

    def _levels(self, metric: Metric, now: dict[LabelValues, Value]) -> Seen:
        rows: list[Level] = [
            Level(labels, value, *self._extremes.get((metric.name, labels), (value, value)))
            for labels, value in now.items()
            if not isinstance(value, Counts)
        ]
        rows.sort(key=lambda row: (-row.value, row.labels))
        return Seen(metric, tuple(rows))

    def _distributions(self, metric: Metric, before: dict[LabelValues, Value], now: dict[LabelValues, Value]) -> Seen:
        buckets: Exponential | Explicit = metric.buckets if isinstance(metric, Histogram) else Exponential()
        coarse = isinstance(self.tracer.runs.format, Log2)
        rows = []
        for labels, value in now.items():
            old = before.get(labels)
            if isinstance(value, Counts):
                earlier = old if isinstance(old, Counts) else None
                rows.append(Distribution(labels, gained(earlier, value, buckets, coarse=coarse)))
        some = [row for row in rows if row.spread.count]
        some.sort(key=lambda row: (-row.spread.sum, -row.spread.count, row.labels))
        return Seen(metric, tuple(some), len(rows) - len(some))


def _gains(metric: Metric, before: dict[LabelValues, Value], now: dict[LabelValues, Value]) -> Seen:
    rows = []
    for labels, value in now.items():
        old = before.get(labels, 0)
        if not isinstance(value, Counts) and not isinstance(old, Counts):
            rows.append(Gain(labels, value - old))
    changed = [row for row in rows if row.change]
    changed.sort(key=lambda row: (-row.change, row.labels))
    return Seen(metric, tuple(changed), len(rows) - len(changed))
