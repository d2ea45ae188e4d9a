"""Inside a BPF worker: has the loader load, then reads maps at every tick, with next to no privilege and no LLVM.

Compiles nothing and attaches nothing itself. What the kernel counts while nobody asks stays in the maps.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Mapping, Sequence
from types import ModuleType

from scalpels_exporter.bpf import attacher, handover, hosted, loader
from scalpels_exporter.bpf.costs import Meter
from scalpels_exporter.bpf.decoders import Sources
from scalpels_exporter.bpf.maps import Map
from scalpels_exporter.bpf.members import Members
from scalpels_exporter.bpf.reading import NEVER, Held, Reading
from scalpels_exporter.bpf.sharing import Names
from scalpels_exporter.bpf.tables import Misfit
from scalpels_exporter.config.settings import Chosen
from scalpels_exporter.declare import ATTRIBUTION, Bpf, Unsupported
from scalpels_exporter.needs import held
from scalpels_exporter.programs.rules import Rule
from scalpels_exporter.spawn import privileges
from scalpels_exporter.worker.preflight import UNSUPPORTED, say, say_what_is_missing
from scalpels_exporter.worker.samples import write

FAILED = 1
SHARED = 3  # maps of the spawner's
NAMES, RING = "program_names", "events"  # maps by these names have a meaning of their own
ATTRIBUTION_SECONDS = 15.0  # that a worker waits for every process to have been looked at
LOADER_CAPABILITIES = ("CAP_BPF", "CAP_PERFMON", "CAP_SYS_ADMIN", "CAP_DAC_READ_SEARCH", "CAP_SYS_RESOURCE")


def run(
    chosen: Chosen,
    rules: Sequence[Rule],
    sources: Sequence[str],
    shared: tuple[int, ...],
    modules: Mapping[str, ModuleType | None],
    control: int | None = None,
) -> int:
    """The exit status of the worker. `shared` are the descriptors of the spawner's maps, `control` is a host's socket
    to it; `sources` and `modules` are the tracer's and, of a host, its members' in the order of their names."""
    if say_what_is_missing(chosen):
        return UNSUPPORTED
    if len(shared) != SHARED:
        say("E!", "the spawner may not make kernel maps: run the agent as root or with CAP_BPF and CAP_PERFMON")
        return UNSUPPORTED
    try:
        handed = _load(chosen, sources, shared[0])
        return _Worker(chosen, rules, shared, handed, modules, control).serve()
    except handover.Failed as failure:
        say("E!", str(failure))
        return failure.status
    except Unsupported as reason:
        say("E!", str(reason))
        return UNSUPPORTED
    except Misfit as misfit:
        say("E!", f"{hosted.source_of(chosen).name}: {misfit}")
        return FAILED
    except BrokenPipeError:
        return 0  # the agent is gone


def _load(chosen: Chosen, sources: Sequence[str], programs: int) -> handover.Handed:
    """Forks the loader and takes what it hands over. Raises handover.Failed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    runs = chosen.tracer.runs
    assert isinstance(runs, Bpf)
    worker, said = os.getpid(), os.memfd_create("said", os.MFD_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        ours.close()
        loader.run(loader.Task(chosen, runs, sources, programs, said), theirs, worker)
    theirs.close()
    with ours, os.fdopen(said, "rb") as words:
        try:
            return handover.take(ours)
        except handover.Silent as ended:
            words.seek(0)
            lines = words.read(1 << 20).decode(errors="replace").splitlines()
            why = [line.strip() for line in lines if "error" in line]  # LLVM ends the process where it gives up
            raise handover.Failed(": ".join((str(ended), *why[:1])), FAILED) from None
        finally:
            os.waitpid(pid, 0)


class _Worker:
    """From the moment on that everything is attached."""

    def __init__(
        self,
        chosen: Chosen,
        rules: Sequence[Rule],
        shared: tuple[int, ...],
        handed: handover.Handed,
        modules: Mapping[str, ModuleType | None],
        control: int | None,
    ) -> None:
        self._tracer = chosen.tracer
        facts = handed.facts
        self._meter = Meter(tuple(handed.programs.values()), facts["clock_ns"], Map.of(shared[2]))
        self._meter.read()
        able = held()
        maps = {name: Map.of(descriptor, name) for name, descriptor in handed.maps.items()}
        library = hosted.library_of(chosen)
        self._attacher = attacher.begin(library, handed.programs, maps) if library else None
        # What only loading takes is given up; the Python parts keep what else they were declared to need.
        own = {name for part in hosted.parts(chosen) for name in _kept_by(part)} - set(LOADER_CAPABILITIES)
        privileges.keep_only(own | (set() if facts["reads_freely"] else {"CAP_BPF"}))
        for warning in facts["warnings"]:
            say("W!", warning)
        say("I!", f"{facts['probes']} probes on after {facts['seconds']:.1f} s, with headers {facts['headers']}")
        self._names = Names(shared[1])
        syscalls = {int(number): name for number, name in facts["syscalls"].items()}
        maps[NAMES] = Map.of(shared[1])
        all = Held(chosen, rules, maps, handed.programs, Sources(self._names.name, syscalls))
        self._reading = Reading(all, chosen, modules[chosen.tracer.name], RING)
        self._members = None if control is None else Members(all, modules, control, able)

    def serve(self) -> int:
        """Until stdin is closed."""
        self._reading.beat()
        if self._tracer.name != ATTRIBUTION:
            self._await_attribution()
        while True:
            ready = self._wait()
            if self._reading.records in ready or time.monotonic() >= self._reading.due:
                self._reading.beat()
            if self._attacher and self._attacher.ended in ready:
                return FAILED  # it has said why
            if self._members:
                self._members.turn(ready)
            if 0 in ready:
                chunk = os.read(0, 64)
                if not chunk:
                    return 0
                for _ in range(chunk.count(b"\n")):
                    more = self._attacher.samples() if self._attacher else ()
                    write(1, self._reading.snapshot(self._meter.read(), more))

    def _wait(self) -> dict[int, int]:
        """What can be done now, descriptor by descriptor; empty when a companion wants to be called."""
        poll = select.poll()
        poll.register(0, select.POLLIN)
        if self._reading.records >= 0:
            poll.register(self._reading.records, select.POLLIN)
        due = self._reading.due
        if self._attacher:
            poll.register(self._attacher.ended, select.POLLIN)
        if self._members:
            due = min(due, self._members.due)
            for descriptor, events in self._members.interests():
                poll.register(descriptor, events)
        return dict(poll.poll(None if due == NEVER else max(0.0, due - time.monotonic()) * 1000))

    def _await_attribution(self) -> None:
        """Before the first snapshot, so that no process which was there before is missing from it."""
        deadline = time.monotonic() + ATTRIBUTION_SECONDS
        while not self._names.ready():
            if time.monotonic() > deadline:
                say(
                    "W!",
                    f"the tracer {ATTRIBUTION} has named no process yet; what happens until then is counted nowhere",
                )
                return
            select.select([], [], [], 0.05)


def _kept_by(part: Chosen) -> tuple[str, ...]:
    return part.tracer.needs.capabilities if hosted.runs_of(part).companion else ()
