"""Tracers that live in another one's worker: when they may start, and what they show while they may not. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from scalpels_exporter.supervise.status import State
from scalpels_exporter.supervise.tracked import Tracked

_FOR_GOOD = (State.UNSUPPORTED, State.FAILED, State.SHED)  # left by a start or a reload alone
_AT_REST = (State.STOPPED, State.BACKOFF)


def held_back(tracked: Tracked, every: Mapping[str, Tracked], now: float) -> str:
    """Why it has to wait for its host, "" when it has not. Shares a state of its host's that is left by hand alone."""
    host, life = every.get(tracked.chosen.tracer.host), tracked.life
    if host is None or not life.wanted:
        return ""
    if tracked.borrowed and life.state in _FOR_GOOD:
        life.enter(State.STOPPED, now)
    tracked.borrowed = False
    if host.life.state is State.RUNNING or life.state not in _AT_REST:
        return ""
    if host.life.state in _FOR_GOOD:
        life.enter(host.life.state, now)
        tracked.borrowed = True
        return f"{host.name}: {host.why}"
    return f"waits for {host.name}" + (f": {host.why}" if host.life.state is State.BACKOFF else "")


def has_lost_host(tracked: Tracked, every: Mapping[str, Tracked]) -> bool:
    """Whether there is no worker that it could live in."""
    host = every.get(tracked.chosen.tracer.host)
    return host is not None and host.life.state is not State.RUNNING


def forgive(name: str, every: Mapping[str, Tracked], now: float) -> None:
    """A start leaves failures behind, those of the host too: it is what keeps the tracer from running."""
    while (tracked := every.get(name)) is not None:
        tracked.life.forgive(now)
        name = tracked.chosen.tracer.host


def thin(every: Mapping[str, Tracked], over: set[str]) -> None:
    """Those who are `over` their share are asked less often, and so is who lives in their workers."""
    for tracked in every.values():
        tracked.thinned = not over.isdisjoint((tracked.name, tracked.chosen.tracer.host))
