"""Puts the probes of a declared Library into every file with its functions that named processes have mapped, and takes
them out again when none has.

Compiles and loads nothing: its programs came from the loader. All that is attached are descriptors of this process, so
nothing outlives it.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scalpels_exporter.bpf import calls, elf, mapped
from scalpels_exporter.bpf.maps import Map
from scalpels_exporter.bpf.rings import Ring
from scalpels_exporter.declare import Library, Unsupported
from scalpels_exporter.worker.preflight import say

# A uprobe by perf_event_open takes CAP_SYS_ADMIN, which stands for CAP_PERFMON and for opening map_files too.
CAPABILITIES = ("CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH")
PMU = Path("/sys/bus/event_source/devices/uprobe")
MOST_FILES = 48  # with probes at a time: each takes a descriptor a probe, of the worker's 1024
MOST_KNOWN = 20_000  # files that are known not to have the functions
LOOK_EVERY_SECONDS = 1.0  # at which processes there are
LOOK_AGAIN_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # at one of them: it may load a library at any time

Identity = tuple[bytes, int]


@dataclass(slots=True)
class _Process:
    looked: int = 0  # times
    due: float = 0.0
    files: frozenset[Identity] = frozenset()


@dataclass(slots=True)
class Pmu:
    kind: int
    returning: int  # the bit that asks for a function's return

    @classmethod
    def of_kernel(cls, folder: Path = PMU) -> Pmu:
        """Raises Unsupported."""
        try:
            kind = int((folder / "type").read_text())
            bit = int(re.findall(r"\d+", (folder / "format/retprobe").read_text())[0])
        except (OSError, ValueError, IndexError):
            raise Unsupported("this kernel has no uprobes (CONFIG_UPROBE_EVENTS)") from None
        return cls(kind, 1 << bit)


@dataclass(slots=True)
class Uprobes:
    """`programs` are loaded ones by function, `named` the shared map of processes, `wanted` the ring of those that are
    to be looked at now."""

    library: Library
    programs: Mapping[str, int]
    named: Map
    wanted: Ring | None
    pmu: Pmu
    cpu: int  # any that is on
    proc: str = "/proc"
    due: float = 0.0  # monotonic seconds
    _processes: dict[int, _Process] = field(default_factory=dict)
    _without: set[Identity] = field(default_factory=set)
    _attached: dict[Identity, list[int]] = field(default_factory=dict)
    _full: bool = False

    @property
    def records(self) -> int:
        """The descriptor that is readable when somebody is to be looked at now; -1 where there is none."""
        return self.wanted.descriptor if self.wanted else -1

    def beat(self) -> None:
        """To be called when `records` is readable, and at `due`."""
        now = time.monotonic()
        self._look_at_who_is_wanted(now)
        if now < self.due:
            return
        self.due = now + LOOK_EVERY_SECONDS
        there = {int.from_bytes(key, "little") for key, raw in self.named.items() if any(raw)}
        gone = [pid for pid in self._processes if pid not in there]
        for pid in gone:
            del self._processes[pid]
        for pid in there:
            process = self._processes.setdefault(pid, _Process())
            if now >= process.due:
                self._look(pid, process, now)
        self._detach_unused()

    def _look_at_who_is_wanted(self, now: float) -> None:
        for record in self.wanted.take() if self.wanted else ():
            pid = int.from_bytes(record[:4], "little")
            process = self._processes.setdefault(pid, _Process())
            process.looked = 0  # it may be about to load more
            self._look(pid, process, now)

    @property
    def attached(self) -> int:
        """Files that have probes."""
        return len(self._attached)

    def _look(self, pid: int, process: _Process, now: float) -> None:
        process.due = now + LOOK_AGAIN_SECONDS[min(process.looked, len(LOOK_AGAIN_SECONDS) - 1)]
        process.looked += 1
        found = [one for one in mapped.executables(pid, self.proc) if one.identity not in self._without]
        process.files = frozenset(one.identity for one in found)
        for one in found:
            if one.identity not in self._attached:
                self._attach(pid, one)

    def _attach(self, pid: int, one: mapped.Mapped) -> None:
        try:
            file = mapped.opened(pid, one, self.proc)
        except OSError:
            return  # the process is gone, or its file; it is tried again when it is looked at again
        try:
            names = [probe.symbol for probe in self.library.probes]
            where = elf.functions(file, dict.fromkeys(names)) if elf.functions(file, names[:1]) else {}
            if not where:
                self._rule_out(one)
            elif len(self._attached) >= MOST_FILES:
                if not self._full:
                    say("W!", f"{MOST_FILES} files have probes already: what is in {os.fsdecode(one.path)} is not seen")
                self._full = True
            else:
                self._attached[one.identity] = self._events(file, where)
                say(
                    "I!",
                    f"{len(where)} functions of {os.fsdecode(one.path)} are probed, which process {pid} has mapped",
                )
        except elf.Broken:
            self._rule_out(one)
        except OSError as error:
            say("W!", f"{os.fsdecode(one.path)}, which process {pid} has mapped, cannot be probed: {error}")
            self._rule_out(one)
        finally:
            os.close(file)

    def _rule_out(self, one: mapped.Mapped) -> None:
        if len(self._without) >= MOST_KNOWN:
            self._without.clear()
        self._without.add(one.identity)

    def _events(self, file: int, where: Mapping[str, int]) -> list[int]:
        """Returns are probed before beginnings, so that no call that was seen to begin is left open."""
        events: list[int] = []
        path = f"/proc/self/fd/{file}"  # the file itself, whatever namespace its name is in
        try:
            for probe in sorted(self.library.probes, key=lambda probe: not probe.returns):
                if probe.symbol in where:
                    config = self.pmu.returning if probe.returns else 0
                    event = calls.perf_uprobe(self.pmu.kind, config, path, where[probe.symbol], self.cpu)
                    events.append(event)
                    calls.enable(event, self.programs[probe.function])
        except OSError:
            for event in events:
                os.close(event)
            raise
        return events

    def _detach_unused(self) -> None:
        used = {identity for process in self._processes.values() for identity in process.files}
        for identity in [one for one in self._attached if one not in used]:
            for event in self._attached.pop(identity):
                os.close(event)
            self._full = False
