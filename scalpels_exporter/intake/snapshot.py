"""What travels from intake to exposition: one tracer's last good state, checked against its declaration.

Only the types stand here; `check` fills them, `store` keeps them, `exposition` renders them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scalpels_exporter.declare import Counts, Number, Tracer

LabelValues = tuple[str, ...]
Value = Number | Counts
Family = Mapping[LabelValues, Value]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Immutable once stored, so that readers need no lock and a renderer may cache by identity."""

    tracer: Tracer
    families: Mapping[str, Family]  # metric name → label values → value; only declared metrics
    taken: float  # unix time at which the snapshot was complete and found good
    lost: Mapping[str, int] = field(default_factory=dict)  # reason → events that the worker says it lost
    probe_seconds: float = 0.0  # run time of the tracer's kernel programs, as the worker says
    probe_runs: int = 0
    fill: Mapping[str, float] = field(default_factory=dict)  # map of the kernel → used share of it

    @property
    def series(self) -> int:
        return sum(len(family) for family in self.families.values())
