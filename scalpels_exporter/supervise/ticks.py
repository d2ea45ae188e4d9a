"""Asks every worker that answers ticks for a fresh snapshot, and waits for them no longer than a scrape can.

Scrapes at the same time share one round. A worker that missed a round is not waited for again before it has
answered, so that a hung tracer delays one scrape and hangs none; its last good snapshot is served meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from scalpels_exporter.supervise.status import State
from scalpels_exporter.supervise.supervisor import Supervisor
from scalpels_exporter.supervise.tracked import Tracked

LEAST_SECONDS = 0.1  # waited for, whatever a scraper says: nobody makes every worker late by asking for haste


@dataclass(slots=True, eq=False)
class _Round:
    number: int
    waiting: set[str] = field(default_factory=set)  # names of those who still owe
    done: asyncio.Event = field(default_factory=asyncio.Event)
    given_up: bool = False  # a scrape's deadline passed: later ones begin a new round
    ends: float = 0.0  # monotonic; the last deadline of those who wait. They may all have hung up before it


class Ticker:
    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._round: _Round | None = None
        self._rounds = 0

    async def tick(self, deadline_seconds: float) -> int:
        """Returns when every worker that is not late already has answered, or at the deadline.

        The number of the round: the same for all who shared it.
        """
        seconds = max(deadline_seconds, LEAST_SECONDS)
        now = time.monotonic()
        current = self._round
        if current is not None and now >= current.ends and not current.done.is_set():
            self._give_up(current)
        if current is None or current.given_up or current.done.is_set():
            current = self._round = self._begin()
        if not current.done.is_set():
            current.ends = max(current.ends, now + seconds)
            try:
                await asyncio.wait_for(current.done.wait(), seconds)
            except TimeoutError:
                self._give_up(current)
        return current.number

    def _begin(self) -> _Round:
        self._rounds += 1
        begun = _Round(self._rounds)
        now = time.monotonic()
        for tracked in self._supervisor.tracked.values():
            if not (tracked.live and tracked.ticked and tracked.life.state in (State.STARTING, State.RUNNING)):
                continue
            if tracked.late:
                tracked.timeouts += 1  # still owes an answer to an earlier round
                continue
            if tracked.owes_since is None:
                if tracked.thinned and tracked.life.state is State.RUNNING:
                    tracked.skipped += 1
                    continue
                if tracked.pipes is None or not tracked.pipes.tick():
                    tracked.timeouts += 1  # its stdin is full or closed
                    continue
                tracked.owes_since = now
            begun.waiting.add(tracked.name)
            tracked.answered = lambda tracked=tracked: self._answered(begun, tracked)
        if not begun.waiting:
            begun.done.set()
        return begun

    def _answered(self, of: _Round, tracked: Tracked) -> None:
        tracked.answered = None
        of.waiting.discard(tracked.name)
        if not of.waiting:
            of.done.set()

    def _give_up(self, on: _Round) -> None:
        if on.given_up:
            return
        on.given_up = True
        for name in on.waiting:
            tracked = self._supervisor.tracked.get(name)
            if tracked is not None and tracked.owes_since is not None:
                tracked.late = True
                tracked.timeouts += 1
        self._supervisor.step()  # so that one that hangs is seen in time
