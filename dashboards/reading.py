"""A board's file → its checked words, or every mistake in it, one line each: file, line, key, what was expected.

What a panel leaves out is filled in from the metric's declaration. Queries are not parsed here: a test parses them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dashboards.board import Board, Column, Panel
from dashboards.declared import TARGET, Declared
from dashboards.pages import PAGES
from dashboards.reading_rules import RuleReader
from dashboards.units import UNITS
from scalpels_exporter.config.settings import Mistakes
from scalpels_exporter.config.source import compose, read
from scalpels_exporter.config.tree import Value

# How a panel may show a metric, and the kinds of metric that can be shown so; none: the panel brings its queries.
KINDS = {
    "rate": ("counter", "histogram"),
    "errors": ("counter",),
    "quantiles": ("histogram",),
    "mean": ("histogram",),
    "heatmap": ("histogram",),
    "worst": ("histogram", "counter"),
    "gauge": ("gauge", "info"),
    "age": ("gauge",),
    "share": ("counter", "gauge", "histogram"),
    "query": (),
    "table": (),
}
_SECTIONS = ("panels", "left_out", "regressions", "thresholds", "alerts")
_PANEL = (
    *("title", "show", "metric", "of", "by", "where", "whole", "expr", "columns"),
    *("unit", "description", "legend", "stacked", "wide"),
)
_SUFFIX = ".board.yaml"


def read_board(path: Path, declared: Mapping[str, Declared]) -> Board:
    """The board in one file. Mistakes with everything that is wrong in it."""
    node = compose(path, read(path))
    mistakes: list = []  # type: ignore[type-arg]
    if node is None:
        return Board(path.name.removesuffix(_SUFFIX), path.name)
    keys = Value(node, "", str(path), 1, mistakes).section(_SECTIONS)
    reader = _PanelReader(declared)
    rules = RuleReader(declared)
    thresholds = rules.thresholds(keys.get("thresholds"))
    board = Board(
        path.name.removesuffix(_SUFFIX),
        path.name,
        panels=tuple(reader.panels(keys["panels"])) if "panels" in keys else (),
        left_out=_reasons(keys["left_out"], declared) if "left_out" in keys else {},
        regressions=rules.regressions(keys.get("regressions")),
        thresholds=thresholds,
        alerts=rules.alerts(keys.get("alerts"), thresholds),
    )
    if mistakes:
        raise Mistakes(mistakes)
    return board


def _reasons(section: Value, declared: Mapping[str, Declared]) -> dict[str, str]:
    found = {}
    for name, value in section.section().items():
        if name not in declared:
            value.mistake("expected the name of a declared metric")
        reason = value.text()
        if reason is not None:
            found[name] = reason
    return found


@dataclass(frozen=True, slots=True)
class _PanelReader:
    declared: Mapping[str, Declared]

    def panels(self, section: Value) -> list[Panel]:
        """Page → row → panels."""
        found = []
        for page, rows in section.section(tuple(PAGES)).items():
            for row, items in rows.section().items():
                read = (self._panel(page, row, item) for item in items.items("panels") or [])
                found += [panel for panel in read if panel is not None]
        return found

    def _panel(self, page: str, row: str, item: Value) -> Panel | None:
        keys = item.section(_PANEL)
        title, show = (self._needed(item, keys, key) for key in ("title", "show"))
        kind = show.text(tuple(KINDS)) if show else None
        if title is None or kind is None:
            return None
        metric = self._metric(item, keys, "metric", kind) if KINDS[kind] else None
        if KINDS[kind] and metric is None:
            return None
        of = self._metric(item, keys, "of", kind) if kind == "share" else None
        for key, kinds in (("of", ("share",)), ("whole", ("share",)), ("expr", ("query",)), ("columns", ("table",))):
            if key in keys and kind not in kinds:
                keys[key].mistake(f"has a meaning only where show is {kinds[0]}, and here it is {kind}")
        labels = None if metric is None else (*metric.labels, *TARGET)
        unit = keys["unit"].text(UNITS) if "unit" in keys else None
        if unit is None and "unit" not in keys and kind == "query":
            item.mistake(f"expected the key unit, one of {', '.join(UNITS)}")
        if "description" not in keys and metric is None:
            item.mistake("expected the key description, which no declaration gives here")
        return Panel(
            page,
            row,
            title=title.text() or "",
            show=kind,
            metric=metric.name if metric else "",
            of=of.name if of else "",
            by=self._labels(keys.get("by"), labels),
            where=self._matchers(keys.get("where"), labels),
            whole=self._matchers(keys.get("whole"), (*of.labels, *TARGET) if of else labels),
            expr=self._text(item, keys, "expr", kind == "query"),
            columns=self._columns(item, keys) if kind == "table" else (),
            unit=unit or "",
            description=self._text(item, keys, "description") or (metric.help if metric else ""),
            legend=self._text(item, keys, "legend"),
            stacked=bool(keys["stacked"].switch()) if "stacked" in keys else False,
            wide=bool(keys["wide"].switch()) if "wide" in keys else kind in ("table", "worst"),
        )

    def _needed(self, item: Value, keys: Mapping[str, Value], key: str) -> Value | None:
        if key not in keys:
            item.mistake(f"expected the key {key}")
        return keys.get(key)

    def _text(self, item: Value, keys: Mapping[str, Value], key: str, needed: bool = False) -> str:
        value = self._needed(item, keys, key) if needed else keys.get(key)
        return (value.text() or "").strip() if value is not None else ""

    def _metric(self, item: Value, keys: Mapping[str, Value], key: str, show: str) -> Declared | None:
        value = self._needed(item, keys, key)
        name = value.text() if value is not None else None
        if value is None or name is None:
            return None
        metric = self.declared.get(name)
        if metric is None:
            value.mistake(f'expected a declared metric, got "{name}"')
        elif metric.kind not in KINDS[show]:
            value.mistake(f"{show} shows a {' or a '.join(KINDS[show])}, and {name} is a {metric.kind}")
            return None
        return metric

    def _labels(self, value: Value | None, known: tuple[str, ...] | None) -> tuple[str, ...]:
        found = []
        for item in (value.items("labels") or []) if value is not None else []:
            label = item.text(known or ())
            if label is not None:
                found.append(label)
        return tuple(found)

    def _matchers(self, value: Value | None, known: tuple[str, ...] | None) -> dict[str, str]:
        if value is None:
            return {}
        return {label: text for label, one in value.section(known).items() if (text := one.text()) is not None}

    def _columns(self, item: Value, keys: Mapping[str, Value]) -> tuple[Column, ...]:
        columns = self._needed(item, keys, "columns")
        found = []
        for title, column in (columns.section() if columns is not None else {}).items():
            parts = column.section(("expr", "unit"))
            expr, unit = (self._needed(column, parts, key) for key in ("expr", "unit"))
            if expr is not None and unit is not None:
                found.append(Column(title, (expr.text() or "").strip(), unit.text(UNITS) or ""))
        return tuple(found)
