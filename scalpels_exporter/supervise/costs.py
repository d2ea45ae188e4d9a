"""What live workers cost, taken into their records, and which of them are over the overhead budget. Ends nobody."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from scalpels_exporter.supervise.overhead import over_share
from scalpels_exporter.supervise.status import State
from scalpels_exporter.supervise.tracked import Tracked
from scalpels_exporter.supervise.usage import usage

MEMORY_LIMIT_BYTES = 512 << 20  # resident, of a worker and what it started


def measure(every: Iterable[Tracked]) -> None:
    """Reads /proc for each that lives."""
    for tracked in every:
        if tracked.pid is None:
            continue
        now = usage(tracked.pid)
        if not now.processes:
            continue  # it ended in this moment
        if now.cpu_seconds < tracked.usage.cpu_seconds:  # a child that was never waited for took its time with it
            tracked.spent += tracked.usage.cpu_seconds - now.cpu_seconds
        tracked.usage = now
        # What it prints costs the agent too: a flood is paid for by who makes it.
        reading = tracked.pipes.cpu_seconds if tracked.pipes else 0.0
        # Not while it starts: what compiling takes is paid once.
        if tracked.life.state is State.RUNNING:
            tracked.spending.note(time.monotonic(), tracked.spent + now.cpu_seconds + reading + tracked.probed)


def over_budget(every: Iterable[Tracked], share_of_cpus: float, window_seconds: float) -> set[str]:
    """Who has used more than its share of the node's overhead budget over the whole window."""
    now = time.monotonic()
    running = (tracked for tracked in every if tracked.life.state is State.RUNNING)
    known = {t.name: cores for t in running if (cores := t.spending.cores(now, window_seconds)) is not None}
    return over_share(known, share_of_cpus * (os.cpu_count() or 1))
