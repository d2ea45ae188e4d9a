"""Sums up processes by program, so that nothing is lost and nothing counts twice when processes come and go.

`process` reads one; here stands what is known of all from tick to tick. Makes no samples and names no process itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil, inf

from scalpels_exporter.programs.process import MINOR, Process, size_counts_fds
from scalpels_exporter.programs.rules import OTHER

KERNEL = "kernel"
PROGRAMS_MOST = 5000  # rules that make a name of what a process says cannot make memory grow past this
GENERATIONS_MOST = 64
UNREAD = (0, 0, -1)

Name = Callable[[Process], str]


@dataclass(slots=True)
class Program:
    """Counters since the tracer's start; gauges of the last tick."""

    sums: list[int] = field(default_factory=lambda: [0] * 6)  # as in Process
    switches: list[int] = field(default_factory=lambda: [0, 0])
    readable: set[str] = field(default_factory=set)  # files of /proc/PID that one of its processes let us read
    processes: int = 0
    threads: int = 0
    resident: int = 0
    fds: int = 0
    pss: int = 0
    oldest: float = inf  # start of its oldest process, clock ticks after boot

    def add(self, process: Process) -> None:
        self.readable |= process.readable
        self.processes += 1
        self.threads += process.threads
        self.resident += process.resident
        self.fds += process.fds
        self.pss += process.pss
        self.oldest = min(self.oldest, process.start)


class Census:
    """All processes and programs. `from_birth`: what a process did before the first tick counts."""

    def __init__(self, proc: str, name: Name, *, from_birth: bool = True) -> None:
        self.proc = proc
        self.name = name
        self.from_birth = from_birth
        self.known: dict[int, Process] = {}  # parents before their children
        self.unclaimed: list[Process] = []  # ended, and in no living process's sums yet
        self.programs: dict[str, Program] = {}
        self.ticks = 0
        self.fds_by_size = size_counts_fds(proc)
        self.pss_at = -inf

    def tick(self, now: float, threads: int = 500, pss_every: float = 60.0) -> None:
        """Reads everything once. `now` in seconds on any clock that does not go back."""
        self._settle(self._look())
        self._read_other_threads(threads if self.ticks else sys.maxsize)
        self._read_pss(now, pss_every)
        self.ticks += 1
        for program in self.programs.values():
            program.processes = program.threads = program.resident = program.fds = program.pss = 0
            program.oldest = inf
        for process in self.known.values():
            self.programs[process.program].add(process)

    def _look(self) -> dict[int, Process]:
        """Reads every process; gives those that are no more.

        In the order of their starts, so that a parent is read before its child: no child can be in its parent's
        sums before it is missing here.
        """
        present = {int(name) for name in os.listdir(self.proc) if name.isdecimal()}  # noqa: PTH208
        gone = {pid: p for pid, p in self.known.items() if pid not in present or not self._read(p)}
        for pid in gone:
            del self.known[pid]
        new = (Process(pid, f"{self.proc}/{pid}") for pid in sorted(present - self.known.keys()))
        for process in sorted(filter(self._read, new), key=lambda p: p.start):
            self.known[process.pid] = process
        return gone

    def _read(self, process: Process) -> bool:
        first, sums, waited = process.start < 0, process.sums, process.waited
        if not process.read_sums():
            return False
        # Asked every time: an exec or a new title makes another program of it, and `name` knows when to look again.
        process.program = self._program(process)
        if self._counts(first):
            if sums is not process.sums:
                process.fresh = [f + new - old for f, new, old in zip(process.fresh, process.sums, sums, strict=True)]
            if waited != process.waited or any(process.unmatched):
                grow(process, waited)
        if not process.kernel:
            self._read_switches(process, process.pid)
            process.read_fds(by_size=self.fds_by_size)
        return True

    def _counts(self, first: bool) -> bool:
        return self.from_birth or self.ticks > 0 or not first

    def _program(self, process: Process) -> str:
        name = KERNEL if process.kernel else self.name(process)
        if name not in self.programs and len(self.programs) >= PROGRAMS_MOST:
            name = OTHER
        self.programs.setdefault(name, Program())
        return name

    def _read_switches(self, process: Process, thread: int) -> None:
        now = process.read_switches(thread)
        if now is None:
            return
        before = process.switches.get(thread, UNREAD)
        if self._counts(before is UNREAD):
            switches = self.programs[process.program].switches
            switches[0] += max(0, now[0] - before[0])
            switches[1] += max(0, now[1] - before[1])
        process.switches[thread] = (*now, self.ticks)

    def _settle(self, gone: dict[int, Process]) -> None:
        """Adds what is fresh to the programs.

        What an ended child did is in the sums of the process that waited for it, in the tick in which the child
        is missing or in the next: there it is taken out as far as it was counted while the child lived.
        """
        for child in gone.values():
            child.ended_at = self.ticks
        waiting, self.unclaimed = [*self.unclaimed, *gone.values()], []
        for child in waiting:
            pass_on(child, gone, self.ticks)
            waiter = self._waiter(child)
            if waiter is not None:
                waiter.unmatched = less(waiter.unmatched, child.sums)
                waiter.fresh = less(waiter.fresh, child.sums)
            elif child.ended_at == self.ticks:
                self.unclaimed.append(child)
        for process in self.known.values():
            if any(process.fresh):
                sums = self.programs[process.program].sums
                for n, fresh in enumerate(process.fresh):
                    sums[n] += max(0, fresh)
                # Below zero is what will be in the sums when they are read next, as with a child's bytes.
                process.fresh = [min(0, fresh) for fresh in process.fresh]

    def _waiter(self, child: Process) -> Process | None:
        """The nearest living ancestor whose sums have grown by the child's: its parent, or who adopted it.

        None for a child that nobody waits for (SIGCHLD ignored): the kernel adds its sums nowhere.
        """
        pid = child.parent
        for _ in range(GENERATIONS_MOST):
            process = self.known.get(pid)
            if process is not None and process.start <= child.start and has_grown_by(process, child):
                return process
            if pid <= 1:
                return None
            pid = process.parent if process else 1
        return None

    def _read_other_threads(self, most: int) -> None:
        """Context switches of all threads but the first; processes and threads take turns when there are too many."""
        crowds = [p for p in self.known.values() if p.threads > 1 and not p.kernel]
        for process in sorted(crowds, key=lambda p: p.switches_at):
            if most <= 0:
                return
            threads = process.read_threads()
            process.switches = {t: process.switches[t] for t in threads if t in process.switches}
            others = sorted((t for t in threads if t != process.pid), key=lambda t: process.switches.get(t, UNREAD)[2])
            for thread in others[:most]:
                self._read_switches(process, thread)
            most -= len(others)
            process.switches_at = self.ticks

    def _read_pss(self, now: float, every: float) -> None:
        """New processes at once, then the oldest figures first, as many as keep all of them younger than `every`."""
        users = sorted((p for p in self.known.values() if not p.kernel), key=lambda p: p.pss_at)
        elapsed = now - self.pss_at
        share = len(users) if elapsed >= every else ceil(len(users) * elapsed / every)
        self.pss_at = now
        for process in users:
            if process.pss_at > -inf:
                share -= 1
                if share < 0:
                    return
            process.read_pss(now)


def less(sums: Sequence[int], taken: Sequence[int]) -> list[int]:
    return [a - b for a, b in zip(sums, taken, strict=False)]


def grow(process: Process, before: Sequence[int]) -> None:
    """What no child was found in stays for one more tick, then it is of children that were never seen alive.

    It stays because two children of one parent may be taken for each other, and they are not of the same size.
    """
    last, process.grown = process.grown, less(process.waited, before)
    process.unmatched = [min(u, g) + n for u, g, n in zip(process.unmatched, last, process.grown, strict=True)]


def pass_on(child: Process, gone: dict[int, Process], tick: int) -> None:
    """Where the parent has ended too, the child's sums come with the parent's, to where those go, and as late."""
    for _ in range(GENERATIONS_MOST):
        parent = gone.get(child.parent)
        if parent is None:
            return
        child.parent, child.ended_at = parent.parent, tick


def has_grown_by(process: Process, child: Process) -> bool:
    """Whether all that the kernel adds when a parent waits is there. Every process that ran has minor faults."""
    return child.sums[MINOR] > 0 and all(n >= 0 for n in less(process.unmatched, child.sums))
