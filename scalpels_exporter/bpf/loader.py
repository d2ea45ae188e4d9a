"""The short life of a loader: compile, attach, hand every descriptor over, end. A child of its worker.

It dies with its worker; until it has handed over, everything that it attached dies with it. So nothing is half on.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from scalpels_exporter.bpf import btf, calls, compiler, costs, handover, headers, hosted, maps, tracefs
from scalpels_exporter.bpf.definitions import Missing, flags
from scalpels_exporter.config.settings import Chosen
from scalpels_exporter.declare import Bpf, Library, RawTracepoint, Tracepoint
from scalpels_exporter.spawn import privileges
from scalpels_exporter.worker.preflight import UNSUPPORTED

FAILED = 1


@dataclass(frozen=True, slots=True)
class Task:
    """What to load. The sources, of the tracer and of its members, were read while that was allowed; `programs` is the
    shared map; what the compiler says as it ends this process is in the file `said`."""

    chosen: Chosen
    runs: Bpf
    sources: Sequence[str]
    programs: int
    said: int = -1

    @property
    def file(self) -> str:
        return hosted.source_of(self.chosen).name

    def text(self) -> str:
        """All of them; lines of a complaint are those of the file that its author knows."""
        first, *more = self.sources
        named = zip(self.chosen.members, more, strict=True)
        return first + "".join(f'\n#line 1 "{hosted.source_of(one).name}"\n{source}' for one, source in named)


def run(task: Task, sock: socket.socket, worker: int) -> NoReturn:
    """In the forked child."""
    status = FAILED
    try:
        privileges.die_with_parent(worker)
        _Loader(task, sock).run()
        status = 0
    except Unfit as reason:
        handover.failed(sock, str(reason), UNSUPPORTED)
    except (tracefs.NoTracefs, Missing) as reason:
        handover.failed(sock, str(reason), UNSUPPORTED)
    except Exception as error:
        handover.failed(sock, f"{type(error).__name__}: {error}", FAILED)
    finally:
        os._exit(status)


class Unfit(Exception):
    """This host cannot load the program; the text says what is missing and what to do."""


@dataclass(slots=True)
class _Loader:
    task: Task
    sock: socket.socket
    links: list[int] = field(default_factory=list)
    programs: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=dict)  # what the compiler was

    def run(self) -> None:
        begun = time.monotonic()
        with contextlib.suppress(ValueError, OSError):  # kernels before 5.11 count maps as locked memory
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        found = headers.find()
        if found is None:
            raise Unfit(f"no kernel headers are installed: {headers.cure()}")
        folder = tracefs.open_up()
        clock = self._clock()
        compiled = self._compile(found)
        held = compiled.maps()
        self._put_calls(compiled, held)  # before anything runs that calls them
        for part, function in hosted.checks(self.task.chosen):
            with self._naming(part):
                self.programs[function] = compiled.load(function, compiler.RAW_TRACEPOINT)
        self._attach(compiled, folder)
        if library := hosted.library_of(self.task.chosen):
            held |= self._load_uprobes(library, found, held)
        handover.give(self.sock, handover.MAPS, list(held), list(held.values()))
        handover.give(self.sock, handover.PROGRAMS, list(self.programs), list(self.programs.values()))
        handover.give(self.sock, handover.LINKS, [""] * len(self.links), self.links)
        facts = {
            "headers": found.version,
            "probes": len(self.links),
            "seconds": time.monotonic() - begun,
            "clock_ns": clock,
            "syscalls": found.numbers(),
            "warnings": self.warnings,
            "reads_freely": _reads_freely(held.values()),  # gives every privilege up: the last step
        }
        handover.done(self.sock, facts)

    def _clock(self) -> float:
        """Nanoseconds that counting a run takes; counting is on for the moment."""
        try:
            counting = calls.enable_stats()
        except OSError as error:
            self.warnings.append(f"what its kernel programs cost is not measured ({error}): it takes CAP_SYS_ADMIN")
            return 0.0
        try:
            return costs.calibrate()
        except OSError as error:
            self.warnings.append(f"what its kernel programs cost is measured with the count's own cost ({error})")
            return 0.0
        finally:
            os.close(counting)

    def _compile(self, found: headers.Headers) -> compiler.Compiled:
        task = self.task
        told = hosted.definitions(task.chosen)
        where = hosted.all_offsets(task.chosen, self._types())
        try:
            compiled = self._compiled(found, told | where)
            if not where or not task.runs.selftest or self._is_right(compiled):
                return compiled
            # Without the offsets that are wrong here; those that are required are missed now.
            wrong = "the offsets that the kernel's BTF gives are wrong for a known file"
            hosted.all_offsets(task.chosen, None, wrong)
            self.warnings.append(f"{wrong}; done without")
            return self._compiled(found, told)
        except compiler.Rejected as rejected:
            where_at = f"kernel {os.uname().release}, headers {found.version}"
            raise RuntimeError(f"{task.chosen.tracer.name} ({where_at}): {rejected}") from None
        except ImportError:
            raise Unfit("Python's bcc is not installed: apt install python3-bpfcc") from None

    def _types(self) -> btf.Btf | None:
        wanted = any(hosted.runs_of(part).offsets for part in hosted.parts(self.task.chosen))
        if not wanted or self.task.chosen.parameters.get("btf") is False:
            return None
        try:
            return btf.Btf.of_kernel()
        except (OSError, btf.Broken):
            return None

    def _compiled(self, found: headers.Headers, told: dict[str, int]) -> compiler.Compiled:
        self.told = told
        compiled = compiler.Compiled(self.task.text(), self.task.file, found, flags(told), self.task.said)
        compiled.share({"programs": self.task.programs})
        return compiled

    def _is_right(self, compiled: compiler.Compiled) -> bool:
        known = os.memfd_create("known", os.MFD_CLOEXEC)
        try:
            program = compiled.load(self.task.runs.selftest, compiler.RAW_TRACEPOINT)
            return calls.run_here(program, context=struct.pack("=Q", known)) == os.fstat(known).st_ino & 0xFFFFFFFF
        finally:
            os.close(known)

    def _assert_room(self, folder: Path) -> None:
        """Told before the first is attached: the kernel takes as long again to detach each."""
        wanted = len({probe.function for probe in self.task.runs.probes})
        for probe in self.task.runs.probes:
            if isinstance(probe, Tracepoint):
                there = (folder / "events" / probe.category / n for n in names(probe.name, self.task.chosen.parameters))
                wanted += sum(1 for one in there if one.exists())
            else:
                wanted += 1
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        free = limit - sum(1 for _ in Path("/proc/self/fd").iterdir())
        if wanted > free:
            raise Unfit(
                f"its probes take {wanted} file descriptors, and of {limit} it may have {free} are left: raise "
                "LimitNOFILE= of the agent's unit (ulimit -n), or trace less"
            )

    def _attach(self, compiled: compiler.Compiled, folder: Path) -> None:
        self._assert_room(folder)
        try:
            for probe in self.task.runs.probes:
                raw = isinstance(probe, RawTracepoint)
                if probe.function not in self.programs:
                    kind = compiler.RAW_TRACEPOINT if raw else compiler.TRACEPOINT
                    self.programs[probe.function] = compiled.load(probe.function, kind)
                if isinstance(probe, Tracepoint):
                    self._attach_tracepoint(probe, folder)
                else:
                    self.links.append(calls.raw_tracepoint_open(probe.name, self.programs[probe.function]))
        except compiler.Rejected as rejected:
            raise RuntimeError(f"{self.task.chosen.tracer.name} (kernel {os.uname().release}): {rejected}") from None

    def _load_uprobes(self, library: Library, found: headers.Headers, held: Mapping[str, int]) -> dict[str, int]:
        """Its programs, and once more all that they call: a program array takes programs of one type. All other maps
        are those of the first compilation. Returns the array, by a name that no map of the source has."""
        runs, name = self.task.runs, self.task.chosen.tracer.name
        try:
            flavour = compiler.Compiled(
                self.task.text(), self.task.file, found, flags(self.told | {hosted.IN_UPROBE: 1}), self.task.said
            )
            flavour.share({one: descriptor for one, descriptor in held.items() if one != runs.calls})
            mine = flavour.maps()
            self._put_calls(flavour, mine, compiler.UPROBE)
            for function in dict.fromkeys(probe.function for probe in library.probes):
                self.programs[function] = flavour.load(function, compiler.UPROBE)
        except compiler.Rejected as rejected:
            raise RuntimeError(f"{name} in uprobes (kernel {os.uname().release}): {rejected}") from None
        return {f"uprobe {runs.calls}": mine[runs.calls]} if runs.calls else {}

    def _put_calls(self, compiled: compiler.Compiled, held: Mapping[str, int], kind: str = compiler.TRACEPOINT) -> None:
        """The functions that a host's programs call, each at its place."""
        if not self.task.runs.calls:
            return
        if self.task.runs.calls not in held:
            raise RuntimeError(f"{self.task.file}: the source has no map {self.task.runs.calls}")
        array = maps.Map.of(held[self.task.runs.calls])
        for place, (part, function) in enumerate(hosted.calls(self.task.chosen)):
            with self._naming(part):
                loaded = compiled.load(function, kind)
                self.programs[function if kind == compiler.TRACEPOINT else f"{kind} {function}"] = loaded
                array.put(struct.pack("=I", place), struct.pack("=I", loaded))

    @contextlib.contextmanager
    def _naming(self, part: Chosen) -> Iterator[None]:
        """A refusal inside says whose source it is of: the host's, or which member's."""
        try:
            yield
        except (compiler.Rejected, OSError) as refusal:
            where = f"{self.task.chosen.tracer.name} (kernel {os.uname().release})"
            raise RuntimeError(f"{where}: {hosted.source_of(part).name}: {refusal}") from None

    def _attach_tracepoint(self, probe: Tracepoint, folder: Path) -> None:
        for name in names(probe.name, self.task.chosen.parameters):
            identity = tracefs.identity(folder, probe.category, name)
            if identity is None and probe.optional:
                self.warnings.append(f"this kernel has no tracepoint {probe.category}:{name}")
                continue
            if identity is None:
                raise Unfit(f"this kernel has no tracepoint {probe.category}:{name}")
            event = calls.perf_tracepoint(identity, min(os.sched_getaffinity(0)))
            calls.enable(event, self.programs[probe.function])
            self.links.append(event)


def names(name: str, parameters: Mapping[str, Any]) -> Iterator[str]:
    """`name`, once for each text of the parameter whose name stands in braces in it."""
    hole = re.search(r"\{(\w+)\}", name)
    if hole is None:
        yield name
        return
    for text in dict.fromkeys(parameters.get(hole[1], ())):
        yield name.replace(hole[0], text)


def _reads_freely(descriptors: Any) -> bool:
    """Whether a process without any capability may read the maps that it holds. Drops every one of them."""
    privileges.keep_only(())
    try:
        for descriptor in descriptors:
            maps.Map.of(descriptor)
            return True
    except PermissionError:
        return False
    return True
