"""Which program every process belongs to, kept in the kernel: what all tracers with kernel programs look up first.

A fork is inherited and an exit removed by the kernel program itself; rules are applied here, when a process was
there before, has been exec'ed, or is young and may still set its title.
"""

from __future__ import annotations

import os
import time
from collections import Counter as Tally
from collections.abc import Sequence

from scalpels_exporter.declare import (
    Bpf,
    Count,
    Counter,
    Field,
    Gauge,
    Kernel,
    Needs,
    Offset,
    Parameter,
    Sample,
    Table,
    Tracepoint,
    Tracer,
)

TRACER = Tracer(
    name="programs",
    help="Which program a process belongs to: the map that all tracers with kernel programs share.",
    metrics=(
        Gauge("scalpels_programs_processes", "Processes of a program that a rule names.", ("program",)),
        Counter("scalpels_programs_events_total", "Forks, execs and exits of processes seen.", ("event",), series=4),
    ),
    runs=Bpf(
        probes=(
            Tracepoint("task", "task_newtask", "on_fork"),
            Tracepoint("sched", "sched_process_exec", "on_exec"),
            Tracepoint("sched", "sched_process_exit", "on_exit"),
        ),
        tables=(
            Table(
                "seen",
                (Field("event", "I", "choice", ("fork", "exec", "exit")),),
                (Count("scalpels_programs_events_total"),),
            ),
        ),
        offsets=(Offset("TASK_SIGNAL", "task_struct", "signal"), Offset("SIGNAL_LIVE", "signal_struct", "live")),
        lost=("record",),
        companion="Attribution",
    ),
    parameters=(Parameter("btf", "switch", True, "Whether to use the kernel's own type information."),),
    needs=Needs(capabilities=("CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE"), kernel=(5, 8)),
    overhead="0.5 µs a fork or exit and 7 µs an exec in the kernel (BPF_ENABLE_STATS), 0.2 ms an exec in the worker",
    picture="scalpels_programs_events_total",
)

OTHER = 0
NAME_BYTES = 80
LOOK_EVERY_SECONDS = 10.0  # at processes that are new: one may set its title after a fork
LOOK_AT_ALL_SECONDS = 60.0
YOUNG_SECONDS = (0.5, 2.0, 8.0)  # after an exec: when to look again
LEAST_SECONDS = 0.5  # between two looks that no record asks for: many young ones are looked at together


class Attribution:
    """The owner of the maps `programs` (tgid → number) and `program_names` (number → name)."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._programs = kernel.maps["programs"]
        self._names = kernel.maps["program_names"]
        self._numbers: dict[str, int] = {"other": OTHER}
        self._most = len(self._names.items())
        for key, raw in self._names.items():  # of an owner before this one: the numbers stand in maps that go on
            name = raw.partition(b"\0")[0].decode(errors="replace")
            if name:
                self._numbers[name] = int.from_bytes(key, "little")
        self._again: dict[int, list[float]] = {}  # pid → moments at which to look again
        self._seen: set[int] = set()
        self._look_at = self._look_at_all_at = 0.0

    def beat(self) -> float:
        """Seconds until there is something to do without a record."""
        now = time.monotonic()
        for record in self._kernel.records():
            pid = int.from_bytes(record[:4], "little")
            self._look(pid)
            self._again[pid] = [now + later for later in YOUNG_SECONDS]
        for pid, moments in list(self._again.items()):
            if moments[0] <= now:
                self._look(pid)
                moments.pop(0)
                if not moments or not self._lives(pid):
                    del self._again[pid]
        if now >= self._look_at_all_at:
            self._seen.clear()
            self._look_at_all_at = now + LOOK_AT_ALL_SECONDS
            self._look_at = now
        if now >= self._look_at:
            self._look_at_new()
            self._look_at = now + LOOK_EVERY_SECONDS
        return max(LEAST_SECONDS, min([self._look_at, *(m[0] for m in self._again.values())]) - time.monotonic())

    def _look_at_new(self) -> None:
        """Until none is new: what forks while it is looked at may have children that inherited nothing."""
        while True:
            present = {int(name) for name in os.listdir(self._kernel.proc) if name.isdecimal()}  # noqa: PTH208 - names only
            new = present - self._seen
            self._seen &= present
            if not new:
                break
            for pid in new:
                self._look(pid)
            self._seen |= new
        for key, _ in self._programs.items():  # whose exit was not seen: before us, or with a record lost
            pid = int.from_bytes(key, "little")
            if pid not in self._seen and not self._lives(pid):
                self._programs.remove(key)
        self._names.put(bytes(4), b"other")  # from now on others may rely on it

    def _look(self, pid: int) -> None:
        name = self._kernel.program(pid)
        key = pid.to_bytes(4, "little")
        number = self._number(name)
        if number == OTHER:
            self._programs.remove(key)
        elif self._programs.get(key) != (value := number.to_bytes(4, "little")):
            self._programs.put(key, value)
            if not self._lives(pid):
                self._programs.remove(key)  # its exit came before our entry, and removes nothing any more

    def _lives(self, pid: int) -> bool:
        return os.path.exists(f"{self._kernel.proc}/{pid}")  # noqa: PTH110 - a Path costs three times as much

    def _number(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            number = len(self._numbers)
            if number >= self._most:
                return OTHER
            self._names.put(number.to_bytes(4, "little"), name.encode()[:NAME_BYTES])
            self._numbers[name] = number
        return number

    def samples(self) -> Sequence[Sample]:
        """Processes of each program now; 0 for one that has none any more."""
        names = {number: name for name, number in self._numbers.items()}
        there = Tally(int.from_bytes(raw, "little") for _, raw in self._programs.items())
        return [
            ("scalpels_programs_processes", (name,), there[number]) for number, name in names.items() if number != OTHER
        ]
