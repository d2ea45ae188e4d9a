"""What a tracer was seen doing → tables and bars on a screen. Works nothing out: `seen` and `spread` do."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from rich.text import Text

from scalpels_exporter.cli.bars import bar, draw_bars
from scalpels_exporter.cli.clean import clean
from scalpels_exporter.cli.human import count, level, quantity, rate
from scalpels_exporter.cli.screen import Screen
from scalpels_exporter.cli.seen import Distribution, Gain, Level, Row, Seen, Span
from scalpels_exporter.cli.spread import Spread
from scalpels_exporter.cli.summary import draw_summary, summarised
from scalpels_exporter.cli.table import Column, Table
from scalpels_exporter.declare import Metric

DRAWN_HISTOGRAMS = 3  # of one metric; the others have their line in the table
RATE_BAR = 16  # cells


def draw(span: Span, screen: Screen, top: int) -> None:
    """`top` is the number of series that are shown of each metric."""
    seconds = span.seconds
    _head(span, screen)
    every = list(span.metrics())
    draw_summary(span, every, screen, top)
    seen = [one for one in every if one.metric.name not in summarised(span)]
    singles = [s for s in seen if s.rows and not s.metric.labels and s.metric.kind != "histogram"]
    if singles:
        screen.line()
        _singles(singles, seconds).print_on(screen)
    for one in seen:
        if one.rows and (one.metric.labels or one.metric.kind == "histogram"):
            screen.line()
            _metric(one, seconds, screen, top, draws=span.tracer.summary is None)
    _silent(every, screen)


def _head(span: Span, screen: Screen) -> None:
    series = span.last.series if span.last else 0
    snapshots = "1 snapshot" if span.count == 1 else f"{span.count} snapshots"
    screen.line(
        Text()
        .append(span.tracer.name, "bold")
        .append(f": {count(series)} series, {snapshots}, {quantity(span.seconds, 'seconds')}")
    )


def _singles(seen: Sequence[Seen], seconds: float) -> Table:
    """The metrics that have one series, a line each."""
    table = Table(
        [
            Column("METRIC", elastic=True),
            Column("LEVEL", right=True),
            Column("CHANGE", right=True),
            Column("RATE", right=True),
        ]
    )
    for one in seen:
        name, row, unit = Text(one.metric.name, "bold"), one.rows[0], one.metric.unit
        if isinstance(row, Level):
            table.add(name, level(row.value, unit), "", "")
        elif isinstance(row, Gain):
            table.add(name, "", quantity(row.change, unit), _rate(row.change, seconds, unit))
    return table


def _metric(one: Seen, seconds: float, screen: Screen, top: int, *, draws: bool) -> None:
    metric, rows = one.metric, one.rows[:top]
    screen.line(Text().append(metric.name, "bold").append(f"  {metric.kind} · {clean(metric.help)}", "dim"))
    columns, cells = _SHAPES[metric.kind]
    table = Table([*(Column(label, elastic=True) for label in metric.labels), *columns], indent=2)
    for row in rows:
        table.add(*(Text(clean(value) or '""') for value in row.labels), *cells(row, one, seconds))
    table.print_on(screen)
    hidden = len(one.rows) - len(rows)
    if hidden:
        screen.line(Text(f"  {count(hidden)} more (--top {len(one.rows)} shows all)", "dim"))
    if one.unchanged:
        screen.line(Text(f"  {count(one.unchanged)} more did not change", "dim"))
    if metric.kind == "histogram" and draws:
        for row in rows[:DRAWN_HISTOGRAMS]:
            assert isinstance(row, Distribution)
            screen.line()
            draw_bars(row.spread.by_powers(), metric.unit, _named(metric, row), screen)


def _named(metric: Metric, row: Row) -> str:
    return ", ".join(f"{label}={clean(value)}" for label, value in zip(metric.labels, row.labels, strict=True))


def _gain(row: Row, one: Seen, seconds: float) -> list[Text | str]:
    assert isinstance(row, Gain)
    greatest = one.rows[0]
    assert isinstance(greatest, Gain)
    unit = one.metric.unit
    return [
        quantity(row.change, unit),
        _rate(row.change, seconds, unit),
        Text(bar(row.change / greatest.change, RATE_BAR), "blue") if len(one.rows) > 1 else "",
    ]


def _level(row: Row, one: Seen, _: float) -> list[Text | str]:
    assert isinstance(row, Level)
    unit = one.metric.unit
    low, high = level(row.low, unit), level(row.high, unit)
    return [level(row.value, unit), *((low, high) if low != high else ("", ""))]


def _distribution(row: Row, one: Seen, seconds: float) -> list[Text | str]:
    assert isinstance(row, Distribution)
    spread, unit = row.spread, one.metric.unit
    return [
        count(spread.count),
        _rate(spread.count, seconds, ""),
        _quantile(spread, 0.5, unit),
        _quantile(spread, 0.99, unit),
        quantity(spread.sum, unit),
    ]


def _quantile(spread: Spread, share: float, unit: str) -> str:
    value, last = spread.quantile(share), spread.buckets[-1]
    return f"> {quantity(value, unit)}" if math.isinf(last.high) and value >= last.low else quantity(value, unit)


def _rate(change: float, seconds: float, unit: str) -> str:
    return rate(change / seconds, unit) if seconds else ""


_SHAPES: dict[str, tuple[Sequence[Column], Callable[[Row, Seen, float], list[Text | str]]]] = {
    "counter": ((Column("CHANGE", right=True), Column("RATE", right=True), Column("")), _gain),
    "gauge": ((Column("LEVEL", right=True), Column("LOWEST", right=True), Column("HIGHEST", right=True)), _level),
    "histogram": (tuple(Column(title, right=True) for title in ("COUNT", "RATE", "P50", "P99", "SUM")), _distribution),
}


def _silent(seen: Sequence[Seen], screen: Screen) -> None:
    """The metrics that have nothing to show, in one line each for why."""
    still = [f"{s.metric.name} ({count(s.unchanged)})" for s in seen if not s.rows and s.unchanged]
    empty = [s.metric.name for s in seen if not s.rows and not s.unchanged]
    if still or empty:
        screen.line()
    for what, names in (("did not change", still), ("no series", empty)):
        if names:
            for n, piece in enumerate(screen.wrapped(", ".join(names), len(what) + 2)):
                screen.line(Text(f"{what}: " if n == 0 else " " * (len(what) + 2)).append(piece))
