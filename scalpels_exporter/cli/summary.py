"""`once --for` of a tracer that times things: one table with counts, times and errors side by side, the worst first.

Which histogram and which counter belong together is declared (`Tracer.summary`). Works nothing out: `seen` does. What
several programs time together has its table in `ends`.
"""

from __future__ import annotations

from collections import Counter as Tally

from rich.text import Text

from scalpels_exporter.cli.clean import clean
from scalpels_exporter.cli.ends import draw_ends, shown_of
from scalpels_exporter.cli.human import count
from scalpels_exporter.cli.screen import Screen
from scalpels_exporter.cli.seen import Distribution, Gain, Row, Seen, Span
from scalpels_exporter.cli.table import Column, Table
from scalpels_exporter.cli.timed import TITLES, cells_of, errors_of
from scalpels_exporter.declare import Ends, Metric

Labels = tuple[str, ...]


def summarised(span: Span) -> frozenset[str]:
    """The metrics that the table shows."""
    summary = span.tracer.summary
    if summary is None:
        return frozenset()
    if isinstance(summary, Ends):
        return shown_of(summary)
    return frozenset(filter(None, (summary.times, summary.errors, *summary.more)))


def draw_summary(span: Span, seen: list[Seen], screen: Screen, top: int) -> None:
    """Nothing where nothing was timed. What failed comes first, then what took most time altogether."""
    summary, by_name = span.tracer.summary, {one.metric.name: one for one in seen}
    if summary is None:
        return
    if isinstance(summary, Ends):
        draw_ends(summary, by_name, span.seconds, screen, top)
        return
    for name in (summary.times, *summary.more):
        if by_name[name].rows:
            screen.line()
            if summary.more:
                screen.line(Text(name, "bold"))
            errors = by_name.get(summary.errors) if name == summary.times else None
            _draw(by_name[name], errors, summary.failed, span.seconds, screen, top)


def _draw(times: Seen, errors: Seen | None, bad: tuple[str, str], seconds: float, screen: Screen, top: int) -> None:
    def is_bad(row: Row) -> bool:
        return bool(bad[0]) and row.labels[times.metric.labels.index(bad[0])].startswith(bad[1])

    failed = _failed(errors, times.metric) if errors else {}
    columns = [Column(label, elastic=True) for label in times.metric.labels]
    columns += [Column(title, right=True) for title in (*TITLES, "ERRORS")]
    table = Table([*columns, Column("", elastic=True)], indent=2)
    for row in sorted(times.rows, key=is_bad, reverse=True)[:top]:
        assert isinstance(row, Distribution)
        codes, style = failed.get(row.labels, Tally()), "red" if is_bad(row) else ""
        table.add(
            *(Text(clean(value), style) for value in row.labels), *cells_of(row.spread, seconds), *errors_of(codes)
        )
    table.print_on(screen)
    if len(times.rows) > top:
        screen.line(Text(f"  {count(len(times.rows) - top)} more (--top {len(times.rows)} shows all)", "dim"))


def _failed(errors: Seen, times: Metric) -> dict[Labels, Tally[str]]:
    """By the labels of the times: what is left of the error's labels → how many."""
    places = [errors.metric.labels.index(label) for label in times.labels]
    rest = [n for n in range(len(errors.metric.labels)) if n not in places]
    found: dict[Labels, Tally[str]] = {}
    for row in errors.rows:
        assert isinstance(row, Gain)
        key = tuple(row.labels[n] for n in places)
        found.setdefault(key, Tally())[" ".join(row.labels[n] for n in rest)] += round(row.change)
    return found
