"""What is known about every tracer at a moment, for people and for metrics. Types only; `supervisor` makes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class State(StrEnum):
    """`scalpels_tracer_state{tracer,state}` has one series for each."""

    STOPPED = "stopped"  # nobody wants it
    STARTING = "starting"  # spawned, no good snapshot yet
    RUNNING = "running"
    STOPPING = "stopping"
    BACKOFF = "backoff"  # died, waits for its next start
    FAILED = "failed"  # five early deaths; left by start or reload
    UNSUPPORTED = "unsupported"  # this host cannot run it; `why` says what is missing
    SHED = "shed"  # over its overhead budget


@dataclass(frozen=True, slots=True)
class Status:
    tracer: str
    help: str
    state: State
    wanted: bool
    since: float  # unix time of the last change of state
    why: str  # one line: configured, started by hand ("reason"), exit status, what is missing …
    default: bool
    overhead: str  # the declared, measured sentence
    lease_until: float | None  # unix time at which a start by hand ends
    pid: int | None
    starts: int
    exits: dict[str, int]  # reason → times
    timeouts: int  # ticks that were not answered in time
    skipped: int  # ticks not sent, because the tracer was over its share of the overhead budget
    rejected: dict[str, int]  # reason → samples or lines refused
    folded: int
    series: int
    snapshot_at: float | None  # unix time of the last good snapshot
    cpu_seconds: float  # of the worker and what it started, since the agent's start
    memory_bytes: int
    lost: dict[str, int]
    probe_seconds: float
    probe_runs: int
    picture_title: str  # help of the metric drawn, "" when none
    picture_unit: str  # what `picture` is in: "seconds/s", "bytes" …
    picture: tuple[tuple[float, float], ...]  # (unix time, value): rate of a counter or histogram, level of a gauge
    fill: dict[str, float] = field(default_factory=dict)  # map of the kernel → used share of it
