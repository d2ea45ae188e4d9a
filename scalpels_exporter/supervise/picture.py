"""The few points that the landing page draws for a tracer: one metric's total, as a rate or a level, at each scrape."""

from __future__ import annotations

import re

from scalpels_exporter.declare import Counts, Metric, Tracer
from scalpels_exporter.intake.snapshot import Snapshot
from scalpels_exporter.supervise.tracked import Tracked

LEAST_SECONDS = 1.0  # between two points


def add_point(tracked: Tracked, snapshot: Snapshot) -> None:
    """Takes the snapshot into the tracer's picture; does nothing for a tracer that declares none."""
    metric = snapshot.tracer.metric(snapshot.tracer.picture)
    if metric is None:
        return
    last = tracked.picture_last
    if last is not None and snapshot.taken - last[0] < LEAST_SECONDS:
        return
    total = _total(metric, snapshot)
    tracked.picture_last = (snapshot.taken, total)
    if metric.kind == "gauge":
        tracked.picture.append((snapshot.taken, total))
    elif last is not None and total >= last[1]:
        tracked.picture.append((snapshot.taken, (total - last[1]) / (snapshot.taken - last[0])))


def title_and_unit(tracer: Tracer) -> tuple[str, str]:
    """What the picture shows, and what its numbers are in."""
    metric = tracer.metric(tracer.picture)
    if metric is None:
        return "", ""
    unit = {"histogram": "events"}.get(metric.kind, metric.unit)
    title = re.split(r"[.:;,] ", metric.help, maxsplit=1)[0].rstrip(".")
    return title, unit if metric.kind == "gauge" else f"{unit or 'events'}/s"


def _total(metric: Metric, snapshot: Snapshot) -> float:
    family = snapshot.families.get(metric.name, {})
    return float(sum(sum(v.counts) + v.zero if isinstance(v, Counts) else v for v in family.values()))
