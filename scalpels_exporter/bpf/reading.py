"""What one tracer reads out of a worker's maps: its tables, its reasons for lost events, its companion's samples.

A worker has one for itself and, as a host, one for each member that is on. Asks nobody and writes nowhere.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType
from typing import Any, cast

from scalpels_exporter.bpf import calls, hosted
from scalpels_exporter.bpf.decoders import Sources
from scalpels_exporter.bpf.maps import Map
from scalpels_exporter.bpf.rings import Ring
from scalpels_exporter.bpf.tables import Reader
from scalpels_exporter.config.settings import Chosen
from scalpels_exporter.declare import Companion, Kernel, Labelling, Sample
from scalpels_exporter.programs.naming import Naming
from scalpels_exporter.programs.rules import Rule
from scalpels_exporter.worker.samples import encode

NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Held:
    """What all the tracers of one worker share, once everything is attached."""

    host: Chosen
    rules: Sequence[Rule]
    maps: Mapping[str, Map]  # those of the source, and the programs' names
    programs: Mapping[str, int]  # every function's descriptor
    sources: Sources


class Reading:
    """`part` is the worker's tracer or a member. Raises Misfit, and what its companion raises."""

    def __init__(self, held: Held, part: Chosen, module: ModuleType | None, ring: str) -> None:
        runs = hosted.runs_of(part)
        sources = replace(held.sources, companion=self._label)
        self._readers = [Reader(table, part.tracer, held.maps, sources) for table in runs.tables]
        self._lost = held.maps["lost"]
        self._places = hosted.lost_places(held.host, part)
        found = held.maps.get(ring)
        self._ring = Ring(found.descriptor, found.entries) if found and runs.companion else None
        self._companion: Companion | None = None
        self.due = NEVER  # when the companion wants to be called; monotonic seconds
        if runs.companion:
            records = self._ring.take if self._ring else lambda: []
            check = partial(_check, held.programs.get(getattr(runs, "check", ""), -1))
            program = Naming(held.rules).program
            kernel = Kernel(held.maps, records, part.parameters, program, held.sources.program, check)
            self._companion = getattr(module, runs.companion)(kernel)

    @property
    def records(self) -> int:
        """The descriptor that is readable when records have come; -1 where there are none."""
        return self._ring.descriptor if self._ring else -1

    def beat(self) -> None:
        if self._companion:
            self.due = time.monotonic() + self._companion.beat()

    def snapshot(self, probe: tuple[float, int] | None = None, more: Sequence[Sample] = ()) -> bytes:
        """The present state; `probe` is what the worker's programs cost."""
        samples: list[Sample] = list(more)
        if self._companion:  # first: what it has the kernel count is in the tables then
            samples += self._companion.samples()
        for reader in self._readers:
            samples += reader.read()
        fill = {reader.name: reader.fill for reader in self._readers if reader.fill}
        return encode(samples, self._losses(), probe=probe, fill=fill)

    def _label(self, label: str, member: Any) -> str:
        """For the decoder `companion`; the companion is there before anything is read."""
        naming = cast(Labelling, self._companion)
        return naming.label(label, member)

    def _losses(self) -> dict[str, int]:
        counts = [int.from_bytes(raw, "little") for _, raw in sorted(self._lost.items())]
        return {reason: counts[place] for reason, place in self._places.items() if counts[place]}


def _check(program: int, argument: int) -> int:
    return calls.run_here(program, context=argument.to_bytes(8, sys.byteorder))
