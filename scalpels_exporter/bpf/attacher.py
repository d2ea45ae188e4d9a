"""The child of a worker that attaches to libraries: it keeps what that takes, so that the worker itself keeps nothing.

It looks at processes and attaches, is asked nothing and tells one number: how many files have probes. It dies with its
worker, and all that it attached dies with it; its own end is the end of its worker.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from scalpels_exporter.bpf.maps import Map
from scalpels_exporter.bpf.rings import Ring
from scalpels_exporter.bpf.survival import survives
from scalpels_exporter.bpf.uprobes import CAPABILITIES, Pmu, Uprobes
from scalpels_exporter.declare import Library, Sample, Unsupported
from scalpels_exporter.spawn import privileges
from scalpels_exporter.worker.preflight import say

_STDERR = 2
_WORD = 8


@dataclass(slots=True)
class Attacher:
    """The worker's side. `ended` is readable when the child is gone."""

    library: Library
    ended: int
    told: mmap.mmap

    def samples(self) -> Sequence[Sample]:
        return [(self.library.gauge, (), int.from_bytes(self.told[:_WORD], "little"))]


def begin(library: Library, programs: Mapping[str, int], maps: Mapping[str, Map]) -> Attacher:
    """Forks it. `programs` are loaded ones by their functions' names, `maps` the source's. Raises Unsupported."""
    pmu, cpu = Pmu.of_kernel(), min(os.sched_getaffinity(0))
    if not survives(pmu.kind, pmu.returning, cpu):
        raise Unsupported(
            f"Linux {os.uname().release} kills processes with seccomp filters in which a return is probed"
        )
    wanted = maps.get(library.wanted)
    ring = Ring(wanted.descriptor, wanted.entries) if wanted else None
    uprobes = Uprobes(library, programs, maps["programs"], ring, pmu, cpu)
    told = mmap.mmap(-1, _WORD)
    alive, ended = os.pipe2(os.O_CLOEXEC)[::-1]
    worker = os.getpid()
    if os.fork() == 0:
        _run(uprobes, told, alive, worker)
    os.close(alive)
    return Attacher(library, ended, told)


def _run(uprobes: Uprobes, told: mmap.mmap, alive: int, worker: int) -> NoReturn:
    try:
        privileges.die_with_parent(worker)
        kept = {_STDERR, alive, uprobes.named.descriptor, uprobes.records, *uprobes.programs.values()}
        for descriptor in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208 - names only
            if descriptor not in kept:
                with contextlib.suppress(OSError):  # that of the listing itself
                    os.close(descriptor)
        privileges.keep_only(CAPABILITIES)
        poll = select.poll()
        if uprobes.records >= 0:
            poll.register(uprobes.records, select.POLLIN)
        while True:
            uprobes.beat()
            told[:_WORD] = uprobes.attached.to_bytes(_WORD, "little")
            poll.poll(max(0.0, uprobes.due - time.monotonic()) * 1000)
    except Unsupported as reason:
        say("E!", str(reason))
    except BaseException as error:
        say("E!", f"what attaches to libraries has failed: {type(error).__name__}: {error}")
    finally:
        os._exit(1)
