"""The state of one tracer while its worker prints: opens and closes snapshots, keeps them within their bounds.

Readers put samples into it; what they read is no concern of this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scalpels_exporter.declare import Tracer
from scalpels_exporter.intake.accumulate import Sums
from scalpels_exporter.intake.budget import Slots
from scalpels_exporter.intake.check import Check, check_for
from scalpels_exporter.intake.rejection import Reason, Rejections
from scalpels_exporter.intake.snapshot import Family, Snapshot

SNAPSHOT_BYTES = 64 << 20


class Ledger:
    """Every metric's `checks` (full state) and `sums` (counted here); a metric lives in one of them.

    `completed` counts the snapshots that were closed, good or not.
    """

    def __init__(self, tracer: Tracer, budget: int, clock: Callable[[], float], rejections: Rejections) -> None:
        self.tracer = tracer
        self.slots = Slots(budget)
        self.rejections = rejections
        self.completed = 0
        self.checks: dict[str, Check] = {m.name: check_for(m, self.slots, rejections) for m in tracer.metrics}
        self.sums: dict[str, Sums] = {}
        self.spoiled = False  # the rest of this snapshot is to be skipped
        self.updates = False  # a stream: every line may change the state, which is published whenever it has
        self._clock = clock
        self._bytes = 0
        self._lines = 0
        self._refused_before = 0

    def count(self, name: str) -> Sums:
        """From now on the agent counts this metric itself."""
        found = self.sums.get(name)
        if found is None:
            found = self.sums[name] = Sums(self.checks.pop(name).metric, self.slots, self.rejections)
        return found

    def admit(self, size: int, lines: int, lines_of_a_series: int = 1) -> bool:
        """Whether this much more still belongs into one snapshot; else the snapshot is spoiled, and counted once."""
        self._bytes += size
        self._lines += lines
        most = self.slots.most * lines_of_a_series
        if self.spoiled or (self._bytes <= SNAPSHOT_BYTES and self._lines <= most):
            return not self.spoiled
        self.rejections.add(
            Reason.SNAPSHOT_TOO_LARGE, f"a snapshot has more than {SNAPSHOT_BYTES >> 20} MiB or {most} lines"
        )
        self.spoiled = True
        self._abandon()
        return False

    def close(
        self,
        lost: Mapping[str, int] | None = None,
        probe_seconds: float = 0.0,
        probe_runs: int = 0,
        keep: bool = False,
        fill: Mapping[str, float] | None = None,
    ) -> Snapshot | None:
        """Ends a snapshot. None when it is not good: spoiled, or not one sample of it could be taken."""
        refused = self.rejections.total - self._refused_before
        good = not self.spoiled and not (refused and self._is_empty())
        self._begin()
        self.completed += 1
        if not good:
            self._abandon()
            return None
        families: dict[str, Family] = {}
        for metric in self.tracer.metrics:
            sums = self.sums.get(metric.name)
            families[metric.name] = sums.close() if sums else self.checks[metric.name].close(keep)
        self._count_slots()
        return Snapshot(self.tracer, families, self._clock(), lost or {}, probe_seconds, probe_runs, fill or {})

    def publish(self) -> Snapshot | None:
        """The present state of a stream, None when nothing was taken since the last time."""
        if self._is_empty():
            return None
        return self.close(keep=True)

    def give_up(self) -> None:
        """The worker ended in the middle of a snapshot."""
        self.rejections.add(Reason.UNFINISHED_SNAPSHOT, "the worker ended before it closed its snapshot")
        self._begin()
        self._abandon()
        self.completed += 1

    def restarted(self) -> None:
        """A new worker: what the old one left half-built, and what it had counted to, is forgotten."""
        self._begin()
        for check in self.checks.values():
            check.restarted()
        self._count_slots()

    @property
    def begun(self) -> bool:
        return self._lines > 0

    def _is_empty(self) -> bool:
        return all(check.empty() for check in self.checks.values()) and all(s.empty() for s in self.sums.values())

    def _begin(self) -> None:
        self._bytes = self._lines = 0
        self.spoiled = False
        self._refused_before = self.rejections.total

    def _abandon(self) -> None:
        for check in self.checks.values():
            check.abandon()
        self._count_slots()

    def _count_slots(self) -> None:
        self.slots.used = sum(c.series() for c in self.checks.values()) + sum(s.series() for s in self.sums.values())
