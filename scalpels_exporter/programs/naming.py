"""Which program a process belongs to, remembered. `rules` match, `identify` reads; here is only when to look again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scalpels_exporter.programs.identify import facts
from scalpels_exporter.programs.rules import OTHER, Rule, name_program

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_YOUNG_SECONDS = 10.0  # after a fork comes an exec, after that a process sets its title
_SWEEP_SECONDS = 60.0
_MOST_PROCESSES = 50_000
_MOST_NAMES = 1000  # a rule that names programs after what it found must not make a series for each process
_LONGEST_NAME = 80


def boot_clock() -> float:
    """Seconds since boot, suspend included: the clock that a process's start is given in."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(slots=True)
class _Known:
    started: int
    comm: str
    program: str
    again_at: float  # when to look again; inf for a settled process
    image: int = 0
    asked: bool = True  # since the last sweep


class Naming:
    """Names programs by `rules` (the first that matches) and remembers them by pid and start time.

    A process is looked at again when its command name changed, when it was exec'ed (told by `image`), and a few
    times during its first 10 seconds. Not safe for use by several threads at once.
    """

    def __init__(self, rules: Sequence[Rule], proc: str = "/proc", clock: Callable[[], float] = boot_clock) -> None:
        self._rules = tuple(rules)
        self._proc = proc
        self._clock = clock
        self._known: dict[int, _Known] = {}
        self._names: set[str] = set()
        self._sweep_at = clock() + _SWEEP_SECONDS

    def program(self, pid: int) -> str:
        """The program of a process, OTHER for one that no rule names or that has vanished. Reads /proc/PID/stat."""
        stat = _stat(f"{self._proc}/{pid}/stat")
        if stat is None:
            self._known.pop(pid, None)
            return OTHER
        return self.program_of(pid, *stat)

    def program_of(self, pid: int, started: int, comm: str, image: int = 0) -> str:
        """The same for a caller who has read /proc/PID/stat: nothing is read for a process that is known.

        `started` is field 22 (clock ticks after boot), `comm` field 2 without parentheses. `image` is field 28
        (where the stack starts): it tells an exec of the same command name; 0 where it is not known.
        """
        known = self._known.get(pid)
        now = self._clock()
        if now >= self._sweep_at:
            self._sweep(now)
        if (
            known is not None
            and known.started == started
            and known.comm == comm
            and (known.image == image or not image or not known.image)
            and now < known.again_at
        ):
            known.asked = True
            known.image = known.image or image
            return known.program
        if len(self._known) >= _MOST_PROCESSES:
            self._known.clear()
        age = max(0.0, now - started / _TICKS_PER_SECOND)
        again_at = now + max(1.0, age) if age < _YOUNG_SECONDS else float("inf")
        name = self._bounded(name_program(self._rules, facts(pid, self._proc)))
        self._known[pid] = _Known(started, comm, name, again_at, image)
        return name

    def _bounded(self, name: str) -> str:
        name = "".join(c for c in name.strip() if c.isprintable())[:_LONGEST_NAME]
        if name not in self._names:
            if not name or len(self._names) >= _MOST_NAMES:
                return OTHER
            self._names.add(name)
        return name

    def _sweep(self, now: float) -> None:
        """Forgets the dead. Those asked for since the last sweep are alive or will be seen dead by their caller."""
        self._sweep_at = now + _SWEEP_SECONDS
        for pid, known in list(self._known.items()):
            if not known.asked and not Path(self._proc, str(pid)).exists():
                del self._known[pid]
            known.asked = False


def _stat(path: str) -> tuple[int, str, int] | None:
    """Start time, command name and image of a process; None when it is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        raw = os.read(descriptor, 2048)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    head, found, tail = raw.rpartition(b") ")  # a command name may hold blanks and parentheses
    fields = tail.split()
    if not found or len(fields) < 26:
        return None
    return int(fields[19]), head.partition(b"(")[2].decode(errors="replace"), int(fields[25])
