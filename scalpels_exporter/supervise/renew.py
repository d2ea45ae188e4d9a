"""A tracer's record after its declaration changed: what was counted goes on, what was printed begins anew."""

from __future__ import annotations

import time

from scalpels_exporter.config.settings import Chosen
from scalpels_exporter.intake.intake import Intake
from scalpels_exporter.supervise.status import State
from scalpels_exporter.supervise.tracked import Tracked


def fresh(chosen: Chosen) -> Tracked:
    tracked = Tracked(chosen, Intake(chosen.tracer, chosen.series, time.time))
    tracked.since = time.time()
    return tracked


def renewed(known: Tracked, chosen: Chosen) -> Tracked:
    """The record of `chosen`, which keeps the worker of `known` until that has ended. Ends nobody itself."""
    tracked = fresh(chosen)
    tracked.run, tracked.starts, tracked.exits, tracked.spent = known.run, known.starts, known.exits, known.spent
    tracked.timeouts, tracked.skipped = known.timeouts, known.skipped
    if has_worker(known):
        tracked.life, tracked.pid, tracked.pipes, tracked.usage = known.life, known.pid, known.pipes, known.usage
    return tracked


def has_worker(tracked: Tracked) -> bool:
    """Whether it has one, or has asked for one: the spawner will tell of its end."""
    return tracked.life.state in (State.STARTING, State.RUNNING, State.STOPPING)
