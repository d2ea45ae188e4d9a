"""The last good snapshot of each tracer. Whole snapshots are swapped; nothing here judges, ages or edits one."""

from __future__ import annotations

from scalpels_exporter.intake.snapshot import Snapshot


class Store:
    """The one meeting point of intake and exposition. One event loop owns it, so it needs no lock."""

    def __init__(self) -> None:
        self._snapshots: dict[str, Snapshot] = {}
        self._ordered: tuple[Snapshot, ...] | None = ()

    def put(self, snapshot: Snapshot) -> None:
        self._snapshots[snapshot.tracer.name] = snapshot
        self._ordered = None

    def drop(self, tracer: str) -> None:
        """Forgets a tracer's series; nothing happens when it has none."""
        if self._snapshots.pop(tracer, None) is not None:
            self._ordered = None

    def get(self, tracer: str) -> Snapshot | None:
        return self._snapshots.get(tracer)

    def all(self) -> tuple[Snapshot, ...]:
        """In the order of the tracers' names; the same tuple as long as nothing was put or dropped."""
        if self._ordered is None:
            self._ordered = tuple(self._snapshots[name] for name in sorted(self._snapshots))
        return self._ordered
