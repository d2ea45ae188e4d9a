"""The life of one worker as two fields, what is wanted and what is, and the next step as a pure function of them.

No process, no clock and no file here: `supervisor` carries the steps out and tells what happened.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from scalpels_exporter.supervise.status import State

STOP_GRACE_SECONDS = 5.0  # between SIGTERM and SIGKILL
START_SECONDS = 60.0  # to the first good snapshot of a worker that answers ticks
COMPILE_SECONDS = 300.0  # the same where kernel programs are compiled: 5 s, but a minute on a small and busy machine
HUNG_SECONDS = 60.0  # a tick unanswered for so long
STEADY_SECONDS = 30.0  # up for so long: the back-off begins anew
MOST_EARLY_DEATHS = 5
LONGEST_BACKOFF_SECONDS = 60.0
EXIT_UNSUPPORTED = 69


class Step(Enum):
    START = auto()
    TERMINATE = auto()
    KILL = auto()
    REST = auto()  # nothing runs and nothing is wanted: becomes STOPPED


@dataclass(slots=True)
class Life:
    """Times are monotonic seconds."""

    wanted: bool = False
    start_seconds: float = START_SECONDS  # that it may take until it answers
    state: State = State.STOPPED
    since: float = 0.0  # the last change of state
    up_since: float | None = None
    early_deaths: int = 0
    due: float = 0.0  # of the next start, in BACKOFF
    killed: bool = False
    doom: str = ""  # why we are ending a worker that is wanted: hung, memory, shed

    def enter(self, state: State, now: float) -> None:
        self.state = state
        self.since = now

    # ------------------------------------------------------------------ what happened

    def started(self, now: float) -> None:
        self.enter(State.STARTING, now)
        self.up_since, self.killed, self.doom = None, False, ""

    def good_snapshot(self, now: float) -> None:
        if self.state is State.STARTING:
            self.enter(State.RUNNING, now)
            self.up_since = now

    def terminated(self, now: float, doom: str = "") -> None:
        self.enter(State.STOPPING, now)
        self.doom = doom

    def ended(self, code: int, now: float, jitter: Callable[[], float] = random.random) -> str:
        """`code` is the exit status, negative for a signal. Returns the reason as `exits_total` has it."""
        if self.state is State.STOPPING and not self.doom:
            self.enter(State.STOPPED, now)
            return "stopped"
        if code == EXIT_UNSUPPORTED:
            self.enter(State.UNSUPPORTED, now)
            return "unsupported"
        if self.doom == "shed":
            self.enter(State.SHED, now)
            return "shed"
        reason = self.doom or ("signal" if code < 0 else "exit")
        steady = self.up_since is not None and now - self.up_since >= STEADY_SECONDS
        self.early_deaths = 0 if steady else self.early_deaths + 1
        if self.early_deaths >= MOST_EARLY_DEATHS:
            self.enter(State.FAILED, now)
        else:
            self.due = now + backoff_seconds(self.early_deaths, jitter())
            self.enter(State.BACKOFF, now)
        return reason

    def lost_host(self, now: float) -> str:
        """The worker that it lived in has ended, which is no death of its own. Returns the reason as `ended` does."""
        if self.state is State.STOPPING and not self.doom:
            self.enter(State.STOPPED, now)
            return "stopped"
        self.due = now
        self.enter(State.BACKOFF, now)
        return "host"

    def forgive(self, now: float) -> None:
        """A start or a reload leaves FAILED, UNSUPPORTED and BACKOFF behind."""
        self.early_deaths = 0
        if self.state in (State.FAILED, State.UNSUPPORTED, State.BACKOFF, State.SHED):
            self.enter(State.STOPPED, now)


def backoff_seconds(deaths: int, jitter: float) -> float:
    """1, 2, 4 … 60 s after the 1st, 2nd, 3rd … early death, shortened by up to a fifth. `jitter` is in [0, 1)."""
    longest = min(LONGEST_BACKOFF_SECONDS, 2.0 ** max(0, deaths - 1))
    return longest * (1 - 0.2 * jitter)


def next_step(life: Life, now: float, *, ticked: bool = True, owes_since: float | None = None) -> Step | None:
    """What to do now. `owes_since` is the time of a tick that is still unanswered.

    TERMINATE of a worker that is wanted means that it hangs.
    """
    waiting_to_start = life.state is State.STOPPED or (life.state is State.BACKOFF and now >= life.due)
    match life.state, life.wanted:
        case ((State.STOPPED | State.BACKOFF), True):
            return Step.START if waiting_to_start else None
        case ((State.STARTING | State.RUNNING), False):
            return Step.TERMINATE
        case ((State.BACKOFF | State.FAILED | State.UNSUPPORTED | State.SHED), False):
            return Step.REST
        case State.STARTING, True if ticked and now - life.since >= life.start_seconds:
            return Step.TERMINATE
        case State.RUNNING, True if owes_since is not None and now - owes_since >= HUNG_SECONDS:
            return Step.TERMINATE
        case State.STOPPING, _ if not life.killed and now - life.since >= STOP_GRACE_SECONDS:
            return Step.KILL
    return None


def next_moment(life: Life, owes_since: float | None = None) -> float | None:
    """When `next_step` may give something else than now; None when only an event can change it."""
    match life.state:
        case State.BACKOFF:
            return life.due
        case State.STOPPING:
            return None if life.killed else life.since + STOP_GRACE_SECONDS
        case State.STARTING:
            return life.since + life.start_seconds
        case State.RUNNING if owes_since is not None:
            return owes_since + HUNG_SECONDS
    return None
