"""Snapshots made at random, and the same as prometheus_client's families, bucket by bucket and by the definition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.utils import floatToGoString

from scalpels_exporter.declare import (
    Counter,
    Counts,
    Explicit,
    Exponential,
    Gauge,
    Generator,
    Histogram,
    Metric,
    Number,
    Tracer,
)
from scalpels_exporter.intake.snapshot import Snapshot, Value

LABELS = st.lists(st.sampled_from(["program", "device", "la", "lf", "zone", "A"]), unique=True, max_size=3).map(tuple)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('\\n"%{},= \n'), max_size=8)
WHOLE = (
    st.integers(0, 30) | st.integers(0, 2**60) | st.integers(0, 40).map(lambda n: n * 250_000) | st.integers(0, 10**8)
)
NUMBERS = st.floats(allow_nan=False) | st.integers(-(2**62), 2**62)
BUCKETS = (
    st.builds(lambda low, more: Exponential(low, low + more), st.integers(-20, 3), st.integers(0, 8))
    | st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=6, unique=True).map(lambda b: Explicit(tuple(sorted(b))))
)  # fmt: skip


@st.composite
def metrics(draw: st.DrawFn, number: int) -> Metric:
    unit = draw(st.sampled_from(["", "seconds", "bytes"]))
    name, text, labels = f"scalpels_try_m{number}_{unit}".rstrip("_"), draw(TEXTS), draw(LABELS)
    kind = draw(st.sampled_from([Counter, Gauge, Histogram]))
    if kind is Histogram:
        return Histogram(name, text, labels, unit, buckets=draw(BUCKETS))
    return kind(name + "_total" * (kind is Counter), text, labels, unit)


@st.composite
def values(draw: st.DrawFn, metric: Metric) -> Value:
    if not isinstance(metric, Histogram):
        return draw(NUMBERS.filter(lambda n: n >= 0) if isinstance(metric, Counter) else NUMBERS)
    total = draw(st.floats(-1e20, 1e20) | st.integers(-(2**60), 2**60))
    if isinstance(metric.buckets, Explicit):
        size = len(metric.buckets.upper) + 1
        first = draw(st.integers(0, size - 1))
        return Counts(total, tuple(draw(st.lists(WHOLE, max_size=size - first))), first, 0)
    first = draw(st.integers(4 * metric.buckets.lowest - 9, 4 * metric.buckets.highest + 9))
    return Counts(total, tuple(draw(st.lists(WHOLE, max_size=40))), first, draw(WHOLE))


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    declared = tuple(draw(metrics(number)) for number in range(draw(st.integers(0, 4))))
    families: dict[str, Mapping[tuple[str, ...], Value]] = {}
    for metric in declared:
        keys = draw(st.lists(st.tuples(*[TEXTS for _ in metric.labels]), unique=True, max_size=4))
        families[metric.name] = {key: draw(values(metric)) for key in keys}
    return Snapshot(Tracer("try", "Tried.", declared, Generator()), families, 0.0)


def cumulative(metric: Histogram, state: Counts) -> Iterator[tuple[str, int]]:
    """Each bound with the number of observations at or below it, by the definition of a sub-bucket."""
    for number, bound in enumerate(metric.buckets.bounds()):
        last = 4 * (metric.buckets.lowest + number) if isinstance(metric.buckets, Exponential) else number
        within = sum(count for n, count in enumerate(state.counts, state.first) if n <= last)
        yield floatToGoString(bound), state.zero + within
    yield "+Inf", state.zero + sum(state.counts)


class Peer:
    """A collector of the same families, in declared order, series by their label values."""

    def __init__(self, *several: Snapshot) -> None:
        self._several = several

    def collect(self) -> Iterator[Family]:
        for snapshot in self._several:
            for metric in snapshot.tracer.metrics:
                yield self._family(metric, snapshot.families.get(metric.name, {}))

    def _family(self, metric: Metric, series: Mapping[tuple[str, ...], Value]) -> Family:
        if isinstance(metric, Histogram):
            family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels, unit=metric.unit)
            for key in sorted(series):
                state = series[key]
                assert isinstance(state, Counts)
                family.add_metric(key, list(cumulative(metric, state)), state.sum)
            return family
        kind = CounterMetricFamily if isinstance(metric, Counter) else GaugeMetricFamily
        plain = kind(metric.name, metric.help, labels=metric.labels, unit=metric.unit)
        for key in sorted(series):
            number = series[key]
            assert isinstance(number, Number)
            plain.add_metric(key, number)
        return plain


def registry_of(*several: Snapshot) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(Peer(*several))  # type: ignore[arg-type]
    return registry
