"""The part of a board that becomes rules: regressions, thresholds and alerts. Notes every mistake; makes no rule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from dashboards.board import Alert, Regression, Threshold
from dashboards.declared import Declared
from scalpels_exporter.config import durations
from scalpels_exporter.config.tree import Value

SEVERITIES = ("critical", "warning", "info")
_NAME = re.compile(r"Scalpels([A-Z][a-z0-9]*)+")
_ALERT = ("name", "severity", "lasts", "expr", "summary", "description", "runbook")
_REGRESSION = ("metric", "by", "floor", "minimum", "look", "where", "severity")
_THRESHOLD = re.compile(r"\$([a-z_]+)")


@dataclass(frozen=True, slots=True)
class RuleReader:
    declared: Mapping[str, Declared]

    def thresholds(self, section: Value | None) -> dict[str, Threshold]:
        found = {}
        for name, one in (section.section() if section is not None else {}).items():
            keys = _all_of(one, ("value", "because"))
            if keys is not None:
                found[name] = Threshold(keys["value"].number() or 0.0, keys["because"].text() or "")
        return found

    def regressions(self, section: Value | None) -> tuple[Regression, ...]:
        read = (self._regression(item) for item in (section.items("regressions") or [] if section is not None else []))
        return tuple(one for one in read if one is not None)

    def _regression(self, item: Value) -> Regression | None:
        keys = _all_of(item, ("metric", "by", "floor", "minimum", "look"), _REGRESSION)
        if keys is None:
            return None
        name = keys["metric"].text() or ""
        metric = self.declared.get(name)
        if metric is None or metric.kind != "histogram" or metric.unit != "seconds":
            keys["metric"].mistake(f'expected a declared histogram of seconds, got "{name}"')
            return None
        by = [label.text(metric.labels) for label in keys["by"].items("labels") or []]
        where = keys["where"].section(metric.labels) if "where" in keys else {}
        return Regression(
            name,
            tuple(label for label in by if label is not None),
            _seconds(keys["floor"]) or 0.0,
            keys["minimum"].number(above=0) or 0.0,
            (keys["look"].text() or "").strip(),
            {label: one.text() or "" for label, one in where.items()},
            (keys["severity"].text(SEVERITIES) or "") if "severity" in keys else "critical",
        )

    def alerts(self, section: Value | None, thresholds: Mapping[str, Threshold]) -> tuple[Alert, ...]:
        found: list[Alert] = []
        for item in section.items("alerts") or [] if section is not None else []:
            alert = self._alert(item, thresholds)
            if alert is not None and alert.name in {one.name for one in found}:
                item.mistake(f"the name {alert.name} is taken by an alert above")
            elif alert is not None:
                found.append(alert)
        used = {name for alert in found for name in alert.thresholds}
        if section is not None:
            for name in thresholds.keys() - used:
                section.mistake(f"no alert names the threshold ${name}")
        return tuple(found)

    def _alert(self, item: Value, thresholds: Mapping[str, Threshold]) -> Alert | None:
        keys = _all_of(item, _ALERT)
        if keys is None:
            return None
        texts = {key: (keys[key].text(SEVERITIES if key == "severity" else ()) or "").strip() for key in _ALERT}
        if not _NAME.fullmatch(texts["name"]):
            keys["name"].mistake(f'expected a name such as ScalpelsSqlErrors, got "{texts["name"]}"')
        if _seconds(keys["lasts"]) is None:
            return None
        names = tuple(dict.fromkeys(_THRESHOLD.findall(texts["expr"])))
        for name in names:
            if name not in thresholds:
                keys["expr"].mistake(f"expected a threshold of this board, got ${name}")
                return None
        texts["expr"] = _THRESHOLD.sub(lambda match: f"{thresholds[match[1]].value:.10g}", texts["expr"])
        return Alert(**texts, thresholds=names)


def _all_of(item: Value, needed: tuple[str, ...], known: tuple[str, ...] = ()) -> dict[str, Value] | None:
    keys = item.section(known or needed)
    missing = [key for key in needed if key not in keys]
    if missing and (item.is_mapping or not item.is_list):
        item.mistake(f"expected the keys {', '.join(needed)}; {', '.join(missing)} missing")
    return None if missing else keys


def _seconds(value: Value) -> float | None:
    text = value.text()
    if text is None:
        return None
    try:
        return durations.parse(text)
    except ValueError as exc:
        value.mistake(str(exc))
        return None
