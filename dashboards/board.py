"""The words of a board: which panels a tracer has and where they stand, its regressions, and its alerts. Data only.

`reading` makes them of YAML and checks them; what becomes of them is `panels`' and `rules`' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: a query whose series are the rows."""

    title: str
    expr: str
    unit: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `show` is how `metric` is drawn, one of reading.KINDS; the kinds `query` and `table` have queries."""

    page: str
    row: str
    title: str
    show: str
    metric: str = ""
    of: str = ""  # share: the whole
    by: tuple[str, ...] = ()  # the labels that are told apart
    where: Mapping[str, str] = field(default_factory=dict)  # label → the values that count, a regular expression
    whole: Mapping[str, str] = field(default_factory=dict)  # share: the same for `of`
    expr: str = ""
    columns: tuple[Column, ...] = ()
    unit: str = ""
    description: str = ""
    legend: str = ""
    stacked: bool = False
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Regression:
    """A histogram of seconds that is compared with its own past, for each value of the labels `by`."""

    metric: str
    by: tuple[str, ...]
    floor: float  # seconds: what it must be slower by, whatever the share
    minimum: float  # observations a second below which nothing is said
    look: str  # Markdown: what the runbook says of it
    where: Mapping[str, str] = field(default_factory=dict)
    severity: str = "critical"  # of the fast window


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number that alerts of the board name as $NAME, and why it is this one."""

    value: float
    because: str


@dataclass(frozen=True, slots=True)
class Alert:
    name: str
    severity: str
    lasts: str  # how long it must be true: Prometheus' `for`
    expr: str  # with the numbers of thresholds in it
    summary: str
    description: str
    runbook: str  # Markdown
    thresholds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """What stands in one file. `name` is its stem: a tracer, or one of dashboards/boards."""

    name: str
    file: str
    panels: tuple[Panel, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)  # metric that no panel shows → why
    regressions: tuple[Regression, ...] = ()
    thresholds: Mapping[str, Threshold] = field(default_factory=dict)
    alerts: tuple[Alert, ...] = ()
