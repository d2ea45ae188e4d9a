"""What metrics there are: those that tracers declare, and the agent's own. Starts nothing and reads no series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics_core import Metric

from scalpels_exporter.agent.own import Own, Reloads
from scalpels_exporter.catalog import find
from scalpels_exporter.web.counted import Counted

AGENT = "agent"  # the owner of the agent's own metrics
TARGET = ("job", "instance")  # what Prometheus puts on every series
_SUFFIXES = {"counter": "_total", "info": "_info"}


@dataclass(frozen=True, slots=True)
class Declared:
    """A metric as a panel needs to know it. `name` is what is exported; a histogram's without its suffixes."""

    name: str
    kind: str  # counter, gauge, histogram, info
    labels: tuple[str, ...]
    unit: str
    help: str
    owner: str


def metrics() -> dict[str, Declared]:
    """Every metric that the agent may export, by name."""
    found = [
        Declared(m.name, m.kind, m.labels, m.unit, m.help, name)
        for name, one in sorted(find().items())
        for m in one.tracer.metrics
    ]
    return {metric.name: metric for metric in (*found, *_of_agent())}


def series(declared: Mapping[str, Declared]) -> dict[str, str]:
    """Names as they stand in queries → the metric: a histogram has three series besides its own name."""
    found = {name: name for name in declared}
    for name, metric in declared.items():
        if metric.kind == "histogram":
            found |= {f"{name}_{suffix}": name for suffix in ("bucket", "sum", "count")}
    return found


def _of_agent() -> list[Declared]:
    registry = CollectorRegistry()
    Counted(registry, lambda: 0).answered(200, "metrics")  # a family tells its labels once it has a sample
    families = [*Own(list, Reloads(), dict).collect(), *registry.collect(), *ProcessCollector(registry=None).collect()]
    return [_own(family) for family in families]


def _own(family: Metric) -> Declared:
    name = family.name + _SUFFIXES.get(family.type, "")
    labels = tuple(getattr(family, "_labelnames", ())) or tuple(family.samples[0].labels if family.samples else ())
    unit = next((unit for unit in ("seconds", "bytes", "ratio") if f"_{unit}" in family.name), "")
    return Declared(name, family.type, labels, unit, family.documentation, AGENT)
