"""The owner of every tracer's state: compares what is wanted with what is, and asks the spawner for the next step.

Everything happens in the agent's one loop: messages of the spawner, bytes of workers, control calls and the
clock each change a `Tracked` and then let `next_step` decide. Serving and rendering are elsewhere.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

from scalpels_exporter import log
from scalpels_exporter.config.settings import Settings
from scalpels_exporter.intake.snapshot import Snapshot
from scalpels_exporter.intake.store import Store
from scalpels_exporter.spawn import messages
from scalpels_exporter.supervise import hosts
from scalpels_exporter.supervise.costs import MEMORY_LIMIT_BYTES, measure, over_budget
from scalpels_exporter.supervise.endings import ending
from scalpels_exporter.supervise.life import Step, next_moment, next_step
from scalpels_exporter.supervise.overhead import SHED_SECONDS, THIN_SECONDS
from scalpels_exporter.supervise.pipes import Pipes, has_room
from scalpels_exporter.supervise.renew import fresh, has_worker, renewed
from scalpels_exporter.supervise.status import State
from scalpels_exporter.supervise.stderr import level_and_text
from scalpels_exporter.supervise.tracked import Tracked
from scalpels_exporter.supervise.wants import Wants

BEAT_SECONDS = 5.0  # between looks at what workers cost

_log = log.get("supervise")


class Supervisor:
    def __init__(self, settings: Settings, store: Store, send: Callable[[messages.Order], None]) -> None:
        self.tracked: dict[str, Tracked] = {}
        self.wants = Wants()
        self._store = store
        self._send = send
        self._runs = 0
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False
        self._beat_at = 0.0
        self._apply(settings)

    # ------------------------------------------------------------------ settings

    def _apply(self, settings: Settings) -> None:
        self._settings = settings
        for name, chosen in settings.tracers.items():
            known = self.tracked.get(name)
            if known is None:
                self.tracked[name] = fresh(chosen)
            elif known.chosen != chosen or known.gone:
                self._store.drop(name)
                self.tracked[name] = renewed(known, chosen)
                self._settle(known)
                self._end(self.tracked[name])

    def _end(self, tracked: Tracked) -> None:
        """Its worker, if there is one, is of no use any more."""
        if has_worker(tracked) and tracked.life.state is not State.STOPPING:
            self._terminate(tracked, "")

    def reload(self, settings: Settings) -> None:
        """The new settings in force; leases and what was said by hand stay."""
        gone = self.tracked.keys() - settings.tracers.keys()
        self._apply(settings)
        self.wants.keep(settings.tracers)
        for name in gone:
            self._let_go(self.tracked[name])
        for tracked in self.tracked.values():
            tracked.life.forgive(time.monotonic())
        self.step()

    def _let_go(self, tracked: Tracked) -> None:
        """A tracer that is declared no more has the same time to end as any other."""
        self._store.drop(tracked.name)
        tracked.gone = True
        if has_worker(tracked):
            self._end(tracked)
        else:
            del self.tracked[tracked.name]

    # ------------------------------------------------------------------ steps

    def step(self) -> None:
        """Lets every tracer take its next step, and sets the clock for the one after."""
        if self._closing:
            return
        for name, lease in self.wants.expire(time.time()):
            _log.info("lease ended", extra={"fields": {"tracer": name, "who": lease.who}})
        self._beat_at = self._beat_at or time.monotonic() + BEAT_SECONDS
        moments = [self._beat_at]
        if (lease_end := self.wants.next_end()) is not None:
            moments.append(time.monotonic() + max(0.0, lease_end - time.time()))
        self.wants.require(tracked.chosen for tracked in self.tracked.values() if not tracked.gone)
        for tracked in list(self.tracked.values()):
            tracked.life.wanted = not tracked.gone and self.wants.wanted(tracked.name, tracked.chosen.enabled)
            waits = hosts.held_back(tracked, self.tracked, time.monotonic())
            if waits and waits != tracked.why:
                self._changed(tracked, waits)
            owes = tracked.owes_since
            step = next_step(tracked.life, time.monotonic(), ticked=tracked.ticked, owes_since=owes)
            self._carry_out(tracked, None if waits and step is Step.START else step)
            moment = next_moment(tracked.life, tracked.owes_since)
            if moment is not None and moment > time.monotonic():
                moments.append(moment)
        self._wake_at(min(moments))

    def _wake_at(self, moment: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(max(0.01, moment - time.monotonic()), self._wake)

    def _wake(self) -> None:
        if time.monotonic() >= self._beat_at:
            self._beat()
        self.step()

    def _beat(self) -> None:
        """At its own time, however often something else happens in between."""
        self._beat_at = time.monotonic() + BEAT_SECONDS
        self.measure()
        for name in over_budget(self.tracked.values(), self._settings.budgets.overhead, SHED_SECONDS):
            self._terminate(self.tracked[name], "shed")
        for tracked in self.tracked.values():
            if tracked.usage.memory_bytes > MEMORY_LIMIT_BYTES and tracked.life.state is not State.STOPPING:
                self._terminate(tracked, "memory")
            # A worker that prints when it likes is up once it has lived for a while: a log may be silent for hours.
            lived = time.monotonic() - tracked.life.since >= BEAT_SECONDS
            if tracked.life.state is State.STARTING and tracked.live and not tracked.ticked and lived:
                tracked.life.good_snapshot(time.monotonic())
                self._changed(tracked, "nothing that could be taken was printed yet")

    def _carry_out(self, tracked: Tracked, step: Step | None) -> None:
        match step:
            case Step.START:
                self._runs += 1
                tracked.run = self._runs
                tracked.life.started(time.monotonic())
                self._changed(tracked, self.wants.why(tracked.name, tracked.chosen.enabled))
                self._order(messages.Start(tracked.name, tracked.run))
            case Step.TERMINATE:
                self._terminate(tracked, "hung" if tracked.life.wanted else "")
            case Step.KILL:
                tracked.life.killed = True
                self._order(messages.Kill(tracked.name, tracked.run))
            case Step.REST:
                tracked.life.enter(State.STOPPED, time.monotonic())
                self._changed(tracked, self.wants.why(tracked.name, tracked.chosen.enabled))

    def _terminate(self, tracked: Tracked, doom: str) -> None:
        tracked.life.terminated(time.monotonic(), doom)
        self._changed(tracked, f"is being ended: {doom}" if doom else "is being stopped")
        if tracked.pipes:
            tracked.pipes.close_stdin()
        self._order(messages.Terminate(tracked.name, tracked.run))

    def _order(self, order: messages.Order) -> None:
        try:
            self._send(order)
        except OSError as error:
            _log.error("the spawner takes no orders", extra={"fields": {"error": error}})

    def _changed(self, tracked: Tracked, why: str) -> None:
        tracked.since = time.time()
        tracked.why = why
        if not tracked.serves and tracked.life.state is not State.STOPPING:
            self._store.drop(tracked.name)
        _log.info(
            "tracer %s", tracked.life.state, extra={"fields": {"tracer": tracked.name, "why": why, "run": tracked.run}}
        )

    # ------------------------------------------------------------------ what the spawner says

    def started(self, name: str, run: int, pid: int, descriptors: list[int]) -> None:
        tracked = self.tracked.get(name)
        if tracked is None or tracked.run != run or not has_room(descriptors):
            for descriptor in descriptors:
                os.close(descriptor)
            self._order(messages.Kill(name, run))
            if tracked is not None and tracked.run == run:
                tracked.last_words = "the limit of open files of the agent leaves no room for its pipes"
            return
        pipes = Pipes(
            (descriptors[0], descriptors[1], descriptors[2]),
            on_data=lambda chunk: self._data(name, run, chunk),
            on_log=lambda line: self._line(name, run, line),
            on_end=lambda: self._silenced(name, run),
        )
        tracked.began(pid, pipes)
        if tracked.life.state is State.STOPPING:
            pipes.close_stdin()
        if tracked.ticked and tracked.life.state is State.STARTING and pipes.tick():
            tracked.owes_since = time.monotonic()

    def ended(self, name: str, run: int, code: int, *, with_host: bool = False) -> None:
        """`code` is the exit status, negative for a signal; of its host where it ended with that."""
        tracked = self.tracked.get(name)
        if tracked is None or tracked.run != run:
            return
        if tracked.pipes:
            tracked.pipes.drain()
            self._take(tracked, tracked.intake.finish())  # what it printed last may lack its newline
        self._close_pipes(tracked)
        now = time.monotonic()
        reason = tracked.life.lost_host(now) if with_host else tracked.life.ended(code, now)
        tracked.exits[reason] += 1
        self._after(tracked, ending(reason, code, tracked.last_words, streams=not tracked.ticked))

    def unstarted(self, name: str, run: int, why: str) -> None:
        """A start was not carried out: there is no worker whose end would be told."""
        tracked = self.tracked.get(name)
        if tracked is None or tracked.run != run or tracked.live:
            return
        _log.error("the spawner started no worker", extra={"fields": {"tracer": name, "why": why}})
        if hosts.has_lost_host(tracked, self.tracked):
            tracked.life.lost_host(time.monotonic())
        elif tracked.life.ended(1, time.monotonic()) != "stopped":
            tracked.exits["refused"] += 1
        self._after(tracked, why)

    def _after(self, tracked: Tracked, words: str) -> None:
        """Its worker is no more; `words` say why, "" when it was asked to end."""
        self._changed(tracked, words or self.wants.why(tracked.name, tracked.chosen.enabled))
        if tracked.gone:
            del self.tracked[tracked.name]
        self.step()

    def _close_pipes(self, tracked: Tracked) -> None:
        tracked.over()
        self._settle(tracked)

    # ------------------------------------------------------------------ what a worker says

    def _data(self, name: str, run: int, chunk: bytes) -> None:
        tracked = self.tracked.get(name)
        if tracked is None or tracked.run != run:
            return
        before = tracked.intake.completed
        self._take(tracked, tracked.intake.feed(chunk))
        if tracked.intake.completed > before:
            tracked.owes_since, tracked.late = None, False
            self._settle(tracked)

    def _take(self, tracked: Tracked, snapshot: Snapshot | None) -> None:
        for complaint in tracked.intake.complaints():
            _log.warning("refused from a worker", extra={"fields": {"tracer": tracked.name, "what": complaint}})
        if snapshot is None or tracked.life.state is State.STOPPING:
            return
        self._store.put(snapshot)
        tracked.snapshot_at, tracked.probed = snapshot.taken, snapshot.probe_seconds
        if tracked.life.state is State.STARTING:
            tracked.life.good_snapshot(time.monotonic())
            self._changed(tracked, self.wants.why(tracked.name, tracked.chosen.enabled))
            self._wake_at(time.monotonic())  # others may have waited for it

    def _settle(self, tracked: Tracked) -> None:
        """A round of ticks that waits for this worker need not wait any longer."""
        if tracked.answered:
            tracked.answered()

    def _silenced(self, name: str, run: int) -> None:
        """stdout was closed. A worker that lives on is of no use: it is ended as one that hangs."""
        tracked = self.tracked.get(name)
        if tracked is None or tracked.run != run or tracked.life.state is State.STOPPING:
            return
        asyncio.get_running_loop().call_later(1.0, self._end_the_mute, name, run)

    def _end_the_mute(self, name: str, run: int) -> None:
        tracked = self.tracked.get(name)
        if tracked and tracked.run == run and tracked.live and tracked.life.state is not State.STOPPING:
            self._terminate(tracked, "hung")
            self.step()

    def _line(self, name: str, run: int, line: str) -> None:
        level, text = level_and_text(line)
        tracked = self.tracked.get(name)
        if tracked and tracked.run == run and level >= 20 and not (tracked.last_words and level < 40):
            tracked.last_words = text[:500]
        _log.log(level, "%s", text, extra={"fields": {"tracer": name}})

    # ------------------------------------------------------------------ costs, and the end

    def measure(self) -> None:
        """Looks at what every live worker uses."""
        measure(self.tracked.values())
        hosts.thin(self.tracked, over_budget(self.tracked.values(), self._settings.budgets.overhead, THIN_SECONDS))

    def stop_all(self) -> None:
        """No more starts; workers are told to end. The spawner sees to it that they do."""
        self._closing = True
        if self._timer:
            self._timer.cancel()
        for tracked in self.tracked.values():
            self._end(tracked)
