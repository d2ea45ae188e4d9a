"""What is known about every tracer now, as `Status`: for the API, the landing page and the agent's own metrics."""

from __future__ import annotations

from scalpels_exporter.intake.store import Store
from scalpels_exporter.supervise.picture import title_and_unit
from scalpels_exporter.supervise.status import Status
from scalpels_exporter.supervise.supervisor import Supervisor
from scalpels_exporter.supervise.tracked import Tracked


def statuses(supervisor: Supervisor, store: Store) -> list[Status]:
    """In the order of the tracers' names."""
    return [_status(supervisor, store, supervisor.tracked[name]) for name in sorted(supervisor.tracked)]


def _status(supervisor: Supervisor, store: Store, tracked: Tracked) -> Status:
    tracer = tracked.chosen.tracer
    override = supervisor.wants.override(tracked.name)
    snapshot = store.get(tracked.name)
    title, unit = title_and_unit(tracer)
    return Status(
        tracer=tracked.name,
        help=tracer.help,
        state=tracked.life.state,
        wanted=tracked.life.wanted,
        since=tracked.since,
        why=tracked.why or supervisor.wants.why(tracked.name, tracked.chosen.enabled),
        default=tracer.default,
        overhead=tracer.overhead,
        lease_until=override.until if override else None,
        pid=tracked.pid,
        starts=tracked.starts,
        exits=dict(tracked.exits),
        timeouts=tracked.timeouts,
        skipped=tracked.skipped,
        rejected=dict(tracked.intake.rejected),
        folded=tracked.intake.folded,
        series=snapshot.series if snapshot else 0,
        snapshot_at=tracked.snapshot_at,
        cpu_seconds=tracked.spent + tracked.usage.cpu_seconds,
        memory_bytes=tracked.usage.memory_bytes,
        lost=dict(snapshot.lost) if snapshot else {},
        probe_seconds=snapshot.probe_seconds if snapshot else 0.0,
        probe_runs=snapshot.probe_runs if snapshot else 0,
        fill=dict(snapshot.fill) if snapshot else {},
        picture_title=title,
        picture_unit=unit,
        picture=tuple(tracked.picture),
    )
