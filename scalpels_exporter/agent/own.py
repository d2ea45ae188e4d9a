"""The agent's own health as metric families: every tracer's state, its worker's life and cost, the last reload.

Reads `Status` only; the names are those of the design, and no tracer may declare them.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from scalpels_exporter import __version__
from scalpels_exporter.supervise.status import State, Status


@dataclass(slots=True)
class Reloads:
    """How the last reading of the configuration went."""

    successful: bool = True
    success_time: float = 0.0  # unix time
    failure_time: float = 0.0  # unix time; 0 when none failed
    total: int = 0
    failures: int = 0


Rows = Iterable[tuple[Sequence[str], float]]


class Own(Collector):
    def __init__(
        self,
        statuses: Callable[[], Sequence[Status]],
        reloads: Reloads,
        orders: Callable[[], Mapping[tuple[str, str, str], int]],
    ) -> None:
        self._statuses = statuses
        self._reloads = reloads
        self._orders = orders

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        every = list(self._statuses())
        build = InfoMetricFamily("scalpels_build", "Version of the agent and of its Python.")
        build.add_metric([], {"version": __version__, "pythonversion": platform.python_version()})
        yield build
        yield _gauge(
            "scalpels_tracer_state",
            "1 for the state that a tracer is in, 0 for the others.",
            ("tracer", "state"),
            (((s.tracer, state.value), float(s.state is state)) for s in every for state in State),
        )
        yield from _of_workers(every)
        yield from _of_tracers(every)
        yield from self._of_reloads()
        yield _counter(
            "scalpels_agent_orders",
            "Starts and stops of tracers by hand, and how they were answered.",
            ("tracer", "order", "result"),
            ((key, float(times)) for key, times in sorted(self._orders().items())),
        )

    def _of_reloads(self) -> Iterator[Metric]:
        r = self._reloads
        for name, help, value in (
            ("successful", "1 if the last reading of the configuration was good.", float(r.successful)),
            ("success_timestamp_seconds", "Unix time of the last good reading of the configuration.", r.success_time),
            ("failure_timestamp_seconds", "Unix time of the last bad reading; 0 when there was none.", r.failure_time),
        ):
            yield _gauge(f"scalpels_agent_config_last_reload_{name}", help, (), [((), value)])
        yield _counter("scalpels_agent_config_reloads", "Readings of the configuration.", (), [((), float(r.total))])
        yield _counter(
            "scalpels_agent_config_reload_failures", "Readings that were refused.", (), [((), float(r.failures))]
        )


def _of_workers(every: Sequence[Status]) -> Iterator[Metric]:
    def each(value: Callable[[Status], float]) -> Rows:
        return (((s.tracer,), value(s)) for s in every)

    yield _gauge(
        "scalpels_worker_up",
        "1 while the tracer's worker runs and has given a good snapshot.",
        ("tracer",),
        each(lambda s: float(s.state is State.RUNNING)),
    )
    yield _counter("scalpels_worker_starts", "Workers started.", ("tracer",), each(lambda s: float(s.starts)))
    yield _counter("scalpels_worker_exits", "Workers ended, by reason.", ("tracer", "reason"), _by(every, "exits"))
    yield _gauge(
        "scalpels_worker_snapshot_timestamp_seconds",
        "Unix time of the last good snapshot.",
        ("tracer",),
        (((s.tracer,), s.snapshot_at) for s in every if s.snapshot_at is not None),
    )
    yield _counter(
        "scalpels_worker_collect_timeouts",
        "Ticks that the worker did not answer within a scrape's deadline.",
        ("tracer",),
        each(lambda s: float(s.timeouts)),
    )
    yield _counter(
        "scalpels_worker_ticks_skipped",
        "Scrapes at which the worker was not asked, because it was over its share of the overhead budget.",
        ("tracer",),
        each(lambda s: float(s.skipped)),
    )
    yield _counter(
        "scalpels_worker_rejected",
        "Samples, lines or snapshots of the worker that broke its contract, by reason.",
        ("tracer", "reason"),
        _by(every, "rejected"),
    )
    yield _counter(
        "scalpels_worker_cpu_seconds",
        "CPU time of the worker and what it started.",
        ("tracer",),
        each(lambda s: s.cpu_seconds),
    )
    yield _gauge(
        "scalpels_worker_resident_memory_bytes",
        "Resident memory of the worker and what it started.",
        ("tracer",),
        each(lambda s: float(s.memory_bytes)),
    )


def _of_tracers(every: Sequence[Status]) -> Iterator[Metric]:
    def each(value: Callable[[Status], float]) -> Rows:
        return (((s.tracer,), value(s)) for s in every)

    yield _counter(
        "scalpels_tracer_probe_seconds",
        "Run time of the tracer's kernel programs, estimated from the one second in ten in which the kernel counts.",
        ("tracer",),
        each(lambda s: s.probe_seconds),
    )
    yield _counter(
        "scalpels_tracer_probe_runs",
        "Runs of the tracer's kernel programs, estimated in the same way.",
        ("tracer",),
        each(lambda s: float(s.probe_runs)),
    )
    yield _counter(
        "scalpels_tracer_lost", "Events that the tracer lost, by reason.", ("tracer", "reason"), _by(every, "lost")
    )
    yield _gauge(
        "scalpels_tracer_map_fill_ratio",
        "Used share of a map of the tracer's kernel programs; what does not fit in is lost with the reason full.",
        ("tracer", "map"),
        (((s.tracer, name), share) for s in every for name, share in sorted(s.fill.items())),
    )
    yield _gauge("scalpels_tracer_series", "Series of the tracer now.", ("tracer",), each(lambda s: float(s.series)))
    yield _counter(
        "scalpels_tracer_series_folded",
        "Label sets that were folded into `other` because the series budget was used up.",
        ("tracer",),
        each(lambda s: float(s.folded)),
    )


def _by(every: Sequence[Status], what: str) -> Rows:
    return (((s.tracer, reason), float(n)) for s in every for reason, n in sorted(getattr(s, what).items()))


def _counter(name: str, help: str, labels: Sequence[str], rows: Rows) -> Metric:
    family = CounterMetricFamily(name, help, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def _gauge(name: str, help: str, labels: Sequence[str], rows: Rows) -> Metric:
    family = GaugeMetricFamily(name, help, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family
