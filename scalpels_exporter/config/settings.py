"""The checked settings: what the user's file and the catalog together say. Plain data, handed to every part.

Nothing is read or checked here: `load` makes these, or says all that is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from scalpels_exporter.declare import Tracer
from scalpels_exporter.programs.rules import Rule


@dataclass(frozen=True, slots=True)
class Chosen:
    """One known tracer as this configuration wants it."""

    tracer: Tracer
    enabled: bool
    parameters: Mapping[str, Any] = field(default_factory=dict)  # complete: defaults filled in
    stem: str = ""  # path of the Python file that declares it; "" for one written in YAML alone
    series: int = 2000  # the series budget in force
    rules: tuple[Rule, ...] = ()  # of one that names processes: other rules make another choice, and a new worker
    members: tuple[Chosen, ...] = ()  # of a host, on or off, in the order of their names: what its worker is made of

    def needed(self) -> Tracer:
        """The tracer with all that it needs with these parameters."""
        needs = self.tracer.needs
        more = (name for switch, names in needs.while_on.items() if self.parameters.get(switch) for name in names)
        whole = replace(needs, capabilities=tuple(dict.fromkeys((*needs.capabilities, *more))))
        return replace(self.tracer, needs=whole) if needs.while_on else self.tracer


@dataclass(frozen=True, slots=True)
class Budgets:
    overhead: float = 0.01  # share of the node's CPUs
    series: int = 2000  # per tracer, unless its declaration or the file says otherwise


@dataclass(frozen=True, slots=True)
class Settings:
    tracers: Mapping[str, Chosen]  # by name, every tracer that could be started
    programs: tuple[Rule, ...] = ()  # the user's, then the built-in ones
    budgets: Budgets = Budgets()
    histograms: str = "classic"
    source: str = ""  # the file, "" when none was given


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong in a user's file, printed as one line."""

    file: str
    line: int  # 1-based; 0 when it has none
    key: str  # dotted path: tracers.fs.calls
    problem: str  # what was expected, and what was found

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.problem}" if self.key else f"{place}: {self.problem}"


class Mistakes(Exception):
    """Everything that is wrong, at once."""

    def __init__(self, found: list[Mistake]) -> None:
        super().__init__("\n".join(str(m) for m in found))
        self.found = found
