"""The maps that all workers with kernel programs share: which program a process belongs to, the programs' names, and
for how long the kernel has counted what kernel programs cost.

The spawner makes them once and keeps them, so that they outlive every worker; the tracer `programs` fills the first
two. Pinned nowhere: when the last process of the agent is gone, so are they.
"""

from __future__ import annotations

from dataclasses import dataclass

from scalpels_exporter.bpf import maps
from scalpels_exporter.bpf.accounting import VALUE, Accounting
from scalpels_exporter.bpf.definitions import MOST_PROCESSES
from scalpels_exporter.config.settings import Chosen
from scalpels_exporter.declare import Bpf

NAME_BYTES = 88
MOST_NAMES = 1024
READY = b"other"  # stands at place 0 once every process that was there has been looked at


def create() -> tuple[int, int, int]:
    """The descriptors of tgid → program (u32 → u32), program → name, and `accounting`'s. OSError where not allowed."""
    programs = maps.create(maps.HASH, 4, 4, MOST_PROCESSES, "programs")
    names = maps.create(maps.ARRAY, 4, NAME_BYTES, MOST_NAMES, "program_names")
    counting = maps.create(maps.ARRAY, 4, VALUE.size, 1, "counting")
    return programs.descriptor, names.descriptor, counting.descriptor


@dataclass(slots=True)
class Shared:
    """The spawner's: makes the maps when the first tracer wants them, and never lets go of them."""

    descriptors: tuple[int, ...] = ()
    _accounting: Accounting | None = None

    def of(self, chosen: Chosen) -> tuple[int, ...]:
        """What the worker of `chosen` gets; nothing where they are not needed, or may not be made."""
        if not isinstance(chosen.tracer.runs, Bpf):
            return ()
        if not self.descriptors:
            try:
                self.descriptors = create()
            except OSError:
                return ()  # the worker says what that means for it
            self._accounting = Accounting(maps.Map.of(self.descriptors[2]))
        return self.descriptors

    def beat(self, wanted: bool) -> float | None:
        """Seconds until it wants to be called again; None: not before `wanted`, which says that a worker uses them."""
        return self._accounting.beat(wanted) if self._accounting else None


class Names:
    """The programs' names by number; read only. A name never changes, so it is asked for once."""

    def __init__(self, descriptor: int) -> None:
        self._map = maps.Map.of(descriptor)
        self._known: dict[int, str] = {}

    def name(self, number: int) -> str:
        """`other` for a number that has none."""
        found = self._known.get(number)
        if found is None:
            raw = self._map.get(number.to_bytes(4, "little")) or b""
            found = raw.partition(b"\0")[0].decode(errors="replace")
            if found:
                self._known[number] = found
        return found or READY.decode()

    def ready(self) -> bool:
        return (self._map.get(bytes(4)) or b"").startswith(READY)
