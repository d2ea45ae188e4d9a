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

from scalpels_exporter.bpf import handover, loader
from scalpels_exporter.bpf.costs import Meter
from scalpels_exporter.bpf.decoders import Sources
from scalpels_exporter.bpf.definitions import reasons
from scalpels_exporter.bpf.maps import Map
from scalpels_exporter.bpf.rings import Ring
from scalpels_exporter.bpf.sharing import Names
from scalpels_exporter.bpf.tables import Misfit, Reader
from scalpels_exporter.config.settings import Chosen
from scalpels_exporter.declare import ATTRIBUTION, Bpf, Companion, Kernel, Sample, Unsupported
from scalpels_exporter.programs.naming import Naming
from scalpels_exporter.programs.rules import Rule
from scalpels_exporter.spawn import privileges
from scalpels_exporter.worker.preflight import UNSUPPORTED, say, say_what_is_missing
from scalpels_exporter.worker.samples import encode, write

FAILED = 1
SHARED = 3  # maps of the spawner's
NAMES, RING = "program_names", "events"  # maps by these names have a meaning of their own
ATTRIBUTION_SECONDS = 15.0  # that a worker waits for every process to have been looked at
LOADER_CAPABILITIES = ("CAP_BPF", "CAP_PERFMON", "CAP_SYS_ADMIN", "CAP_DAC_READ_SEARCH", "CAP_SYS_RESOURCE")


def run(chosen: Chosen, rules: Sequence[Rule], source: str, shared: tuple[int, ...], module: ModuleType | None) -> int:
    """The exit status of the worker. `shared` are the descriptors of the spawner's maps."""
    if say_what_is_missing(chosen.tracer):
        return UNSUPPORTED
    if len(shared) != SHARED:
        say("E!", "the spawner may not make kernel maps: run the agent as root or with CAP_BPF and CAP_PERFMON")
        return UNSUPPORTED
    try:
        worker = _Worker(chosen, rules, shared, _load(chosen, source, shared[0]), module)
        return worker.serve()
    except handover.Failed as failure:
        say("E!", str(failure))
        return failure.status
    except Unsupported as reason:
        say("E!", str(reason))
        return UNSUPPORTED
    except Misfit as misfit:
        say("E!", f"{loader.source_of(chosen).name}: {misfit}")
        return FAILED
    except BrokenPipeError:
        return 0  # the agent is gone


def _load(chosen: Chosen, source: str, programs: int) -> handover.Handed:
    """Forks the loader and takes what it hands over. Raises handover.Failed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    runs = chosen.tracer.runs
    assert isinstance(runs, Bpf)
    worker = os.getpid()
    pid = os.fork()
    if pid == 0:
        ours.close()
        loader.run(loader.Task(chosen, runs, source, programs), theirs, worker)
    theirs.close()
    with ours:
        try:
            return handover.take(ours)
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
        module: ModuleType | None,
    ) -> None:
        self._tracer = chosen.tracer
        runs = chosen.tracer.runs
        assert isinstance(runs, Bpf)
        self._runs = runs
        facts = handed.facts
        self._meter = Meter(tuple(handed.programs.values()), facts["clock_ns"], Map.of(shared[2]))
        self._meter.read()
        # What only loading takes is given up; the Python part keeps what else it was declared to need.
        own = set(chosen.tracer.needs.capabilities) - set(LOADER_CAPABILITIES) if runs.companion else set()
        privileges.keep_only(own | (set() if facts["reads_freely"] else {"CAP_BPF"}))
        for warning in facts["warnings"]:
            say("W!", warning)
        say("I!", f"{facts['probes']} probes on after {facts['seconds']:.1f} s, with headers {facts['headers']}")
        self._maps = {name: Map.of(descriptor, name) for name, descriptor in handed.maps.items()}
        self._names = Names(shared[1])
        syscalls = {int(number): name for number, name in facts["syscalls"].items()}
        sources = Sources(self._names.name, syscalls)
        self._readers = [Reader(table, chosen.tracer, self._maps, sources) for table in runs.tables]
        ring = self._maps.get(RING)
        self._ring = Ring(ring.descriptor, ring.entries) if ring else None
        maps = {**self._maps, NAMES: Map.of(shared[1])}
        self._companion = self._accompany(chosen, rules, module, maps)

    def _accompany(
        self, chosen: Chosen, rules: Sequence[Rule], module: ModuleType | None, maps: Mapping[str, Map]
    ) -> Companion | None:
        if not self._runs.companion:
            return None
        records = self._ring.take if self._ring else lambda: []
        kernel = Kernel(maps, records, chosen.parameters, Naming(rules).program)
        companion: Companion = getattr(module, self._runs.companion)(kernel)
        return companion

    def serve(self) -> int:
        """Until stdin is closed."""
        due = self._beat()
        if self._tracer.name != ATTRIBUTION:
            self._await_attribution()
        poll = select.poll()
        poll.register(0, select.POLLIN)
        if self._ring and self._companion:
            poll.register(self._ring.descriptor, select.POLLIN)
        while True:
            wait = max(0.0, due - time.monotonic()) * 1000 if self._companion else None
            ready = {descriptor for descriptor, _ in poll.poll(wait)}
            if ready - {0} or time.monotonic() >= due:
                due = self._beat()
            if 0 in ready:
                chunk = os.read(0, 64)
                if not chunk:
                    return 0
                for _ in range(chunk.count(b"\n")):
                    write(1, self._snapshot())

    def _beat(self) -> float:
        """When the companion wants the next one; monotonic seconds."""
        return time.monotonic() + self._companion.beat() if self._companion else float("inf")

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

    def _snapshot(self) -> bytes:
        samples: list[Sample] = []
        for reader in self._readers:
            samples += reader.read()
        if self._companion:
            samples += self._companion.samples()
        fill = {reader.name: reader.fill for reader in self._readers if reader.fill}
        return encode(samples, self._lost(), probe=self._meter.read(), fill=fill)

    def _lost(self) -> dict[str, int]:
        names = reasons(self._runs)
        counts = [int.from_bytes(raw, "little") for _, raw in sorted(self._maps["lost"].items())]
        return {name: count for name, count in zip(names, counts, strict=True) if count}
