"""`once --for` of a tracer that times the same thing in several programs: one table, the ends of each thing together.

Who sends a call and who works on it are two programs, so each end has a row of its own, and the eye compares them one
below the other. What belongs together is declared (`Ends`). What went wrong at an end that has timed nothing has a row
too: nobody answered. Works nothing out: `seen` does.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.text import Text

from scalpels_exporter.cli.clean import clean
from scalpels_exporter.cli.human import count
from scalpels_exporter.cli.screen import Screen
from scalpels_exporter.cli.seen import Distribution, Gain, Seen
from scalpels_exporter.cli.spread import Spread
from scalpels_exporter.cli.table import Column, Table
from scalpels_exporter.cli.timed import TITLES, cells_of, errors_of
from scalpels_exporter.declare import Ends, Metric

Place = tuple[int, str, str]  # number of the end, what else its histogram tells apart, program


@dataclass
class Line:
    """One end in one program."""

    spread: Spread | None = None
    failed: Tally[str] = field(default_factory=Tally)
    wrong: Tally[str] = field(default_factory=Tally)


@dataclass
class Group:
    """One value of the label that all have."""

    value: str
    lines: dict[Place, Line] = field(default_factory=dict)

    def line(self, place: Place) -> Line:
        return self.lines.setdefault(place, Line())

    def by_end(self) -> list[tuple[Place, Line]]:
        """Of each end what took most time first, as it was found."""
        return sorted(self.lines.items(), key=lambda item: item[0][0])

    @property
    def badness(self) -> tuple[int, int, float]:
        """What went wrong, then what failed, then the time that the first end lost with it."""
        lines = self.lines.values()
        first = [line.spread.sum for (end, *_), line in self.lines.items() if end == 0 and line.spread]
        return sum(one.wrong.total() for one in lines), sum(one.failed.total() for one in lines), sum(first)


def shown_of(ends: Ends) -> frozenset[str]:
    """The metrics that the table shows."""
    return frozenset(filter(None, (*ends.times.values(), ends.errors, *ends.wrong.values())))


def draw_ends(ends: Ends, seen: Mapping[str, Seen], seconds: float, screen: Screen, top: int) -> None:
    """Nothing where nothing was seen; else `top` values of the label, worst first."""
    groups = sorted(_grouped(ends, seen).values(), key=lambda group: group.value)
    groups.sort(key=lambda group: group.badness, reverse=True)
    if not groups:
        return
    columns = [Column(ends.by, elastic=True), Column("end"), Column("program", elastic=True)]
    columns += [Column(title, right=True) for title in (*TITLES, *(title.upper() for title in ends.wrong), "ERRORS")]
    table = Table([*columns, Column("", elastic=True)], indent=2)
    for group in groups[:top]:
        for (end, rest, program), line in group.by_end():
            name = " ".join(filter(None, (list(ends.times)[end], rest)))
            cells = cells_of(line.spread, seconds) if line.spread else ["0", *[""] * (len(TITLES) - 1)]
            wrong = [Text(count(line.wrong[title]), "red") if line.wrong[title] else "" for title in ends.wrong]
            table.add(clean(group.value), clean(name), clean(program), *cells, *wrong, *errors_of(line.failed))
    screen.line()
    table.print_on(screen)
    if len(groups) > top:
        screen.line(Text(f"  {count(len(groups) - top)} more (--top {len(groups)} shows all)", "dim"))


def _grouped(ends: Ends, seen: Mapping[str, Seen]) -> dict[str, Group]:
    found: dict[str, Group] = {}
    names = list(ends.times)
    for number, metric in enumerate(ends.times.values()):
        for row in seen[metric].rows:
            assert isinstance(row, Distribution)
            value, program, rest = _told_apart(seen[metric].metric, row.labels, ends.by)
            found.setdefault(value, Group(value)).line((number, rest, program)).spread = row.spread
    for title, metric in (("", ends.errors), *ends.wrong.items()):
        for row in seen[metric].rows if metric else ():
            assert isinstance(row, Gain)
            side = row.labels[seen[metric].metric.labels.index("side")]
            value, program, rest = _told_apart(seen[metric].metric, row.labels, ends.by, "side")
            if side not in names:
                continue
            line = found.setdefault(value, Group(value)).line((names.index(side), "", program))
            if title:
                line.wrong[title] += round(row.change)
            else:
                line.failed[rest] += round(row.change)
    return found


def _told_apart(metric: Metric, labels: tuple[str, ...], by: str, *others: str) -> tuple[str, str, str]:
    """The value of `by`, the program, and what the other labels say, less `others`."""
    told = dict(zip(metric.labels, labels, strict=True))
    return told.pop(by), told.pop("program"), " ".join(told[label] for label in told if label not in others)
