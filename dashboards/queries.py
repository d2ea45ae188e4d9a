"""A panel → its PromQL. Every question about a histogram is asked of classic buckets, or else of a native histogram.

The names of variables ($job, $__rate_interval …) stay in; what a panel looks like is `panels`' business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboards.board import Panel
from dashboards.declared import Declared
from dashboards.units import unit_of

RATE = "$__rate_interval"
RANGE = "$__range"  # of a table, which tells of the whole time that is shown
QUANTILES = (0.5, 0.9, 0.99)
_PLACE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{\$select(,?)")


@dataclass(frozen=True, slots=True)
class Query:
    """One target. `title` is the column of a table, "" elsewhere."""

    expr: str
    legend: str
    unit: str
    title: str = ""
    heatmap: bool = False


def selector(labels: Sequence[str], where: Mapping[str, str] | None = None) -> str:
    """What the dashboard's variables and the panel choose of a metric with these labels."""
    matchers = ['job=~"$job"', 'instance=~"$instance"']
    if "program" in labels and "program" not in (where or {}):
        matchers.append('program=~"$program"')
    return ",".join((*matchers, *(f'{label}=~"{text}"' for label, text in (where or {}).items())))


def summed(by: Sequence[str], expr: str, how: str = "sum") -> str:
    return f"{how} by ({', '.join(by)}) ({expr})"


def quantile(of: float, metric: str, inside: str, by: Sequence[str], window: str) -> str:
    """The quantile of a histogram. `inside` are matchers, without braces."""
    braces = f"{{{inside}}}" if inside else ""
    classic = summed((*by, "le"), f"rate({metric}_bucket{braces}[{window}])")
    native = summed(by, f"rate({metric}{braces}[{window}])")
    return f"histogram_quantile({of:g}, {classic}) or histogram_quantile({of:g}, {native})"


def observations(metric: str, inside: str, by: Sequence[str], window: str) -> str:
    """How many a second."""
    return _either("count", metric, inside, by, window)


def mean(metric: str, inside: str, by: Sequence[str], window: str) -> str:
    """The exact mean: a histogram's sum is not in buckets."""
    sums, counts = (_either(what, metric, inside, by, window) for what in ("sum", "count"))
    return f"({sums}) / ({counts})"


def _either(what: str, metric: str, inside: str, by: Sequence[str], window: str) -> str:
    braces = f"{{{inside}}}" if inside else ""
    classic = summed(by, f"rate({metric}_{what}{braces}[{window}])")
    native = summed(by, f"rate({metric}{braces}[{window}])")
    return f"{classic} or histogram_{what}({native})"


def filled(expr: str, names: Mapping[str, str], declared: Mapping[str, Declared]) -> str:
    """A written query with each `{$select}` replaced by what the variables choose of the metric before it.

    `names` are the series of the declared metrics; what is not among them is recorded, and has no instance any more.
    """

    def chosen(match: re.Match[str]) -> str:
        inside = selector(declared[names[match[1]]].labels) if match[1] in names else RECORDED
        return f"{match[1]}{{{inside}{match[2]}"

    return _PLACE.sub(chosen, expr)


RECORDED = 'job=~"$job",program=~"$program"'


class Queries:
    """The targets of panels, for the metrics that there are."""

    def __init__(self, declared: Mapping[str, Declared], names: Mapping[str, str]) -> None:
        self._declared, self._names = declared, names

    def of(self, panel: Panel) -> list[Query]:
        """At least one; in the order in which Grafana names them A, B, C …"""
        if panel.show == "query":
            return [Query(self._filled(panel.expr), panel.legend or panel.title, panel.unit)]
        if panel.show == "table":
            return [Query(self._filled(c.expr), "", c.unit, c.title) for c in panel.columns]
        metric = self._declared[panel.metric]
        unit = panel.unit or unit_of(metric, panel.show)
        inside = selector(metric.labels, panel.where)
        legend = panel.legend or " ".join(f"{{{{{label}}}}}" for label in panel.by) or panel.title
        if panel.show == "worst":
            return self._worst(panel, metric, inside)
        if panel.show == "quantiles":
            lines = [
                Query(quantile(q, metric.name, inside, panel.by, RATE), _lead(legend, panel, f"p{q * 100:g}"), unit)
                for q in QUANTILES
            ]
            return [*lines, Query(mean(metric.name, inside, panel.by, RATE), _lead(legend, panel, "mean"), unit)]
        if panel.show == "heatmap":
            classic = summed(("le",), f"increase({metric.name}_bucket{{{inside}}}[{RATE}])")
            native = f"sum(increase({metric.name}{{{inside}}}[{RATE}]))"
            return [
                Query(classic, "{{le}}", unit, heatmap=True),
                Query(native, "native", unit, heatmap=True),
            ]
        return [Query(self._line(panel, metric, inside), legend, unit)]

    def _line(self, panel: Panel, metric: Declared, inside: str) -> str:
        match panel.show:
            case "gauge":
                return summed(panel.by, f"{metric.name}{{{inside}}}")
            case "age":
                return f"time() - {summed(panel.by, f'{metric.name}{{{inside}}}', 'min')}"
            case "mean":
                return mean(metric.name, inside, panel.by, RATE)
            case "share":
                whole = self._declared[panel.of]
                part = self._flow(metric, inside, panel.by)
                return f"({part}) / ({self._flow(whole, selector(whole.labels, panel.whole), panel.by)})"
        return self._flow(metric, inside, panel.by)

    def _flow(self, metric: Declared, inside: str, by: Sequence[str], window: str = RATE) -> str:
        """What comes in a second; of a gauge, what there is."""
        if metric.kind == "histogram":
            return observations(metric.name, inside, by, window)
        if metric.kind == "gauge":
            return summed(by, f"{metric.name}{{{inside}}}")
        return summed(by, f"rate({metric.name}{{{inside}}}[{window}])")

    def _worst(self, panel: Panel, metric: Declared, inside: str) -> list[Query]:
        if metric.kind == "counter":
            unit = panel.unit or unit_of(metric, "rate")
            return [Query(self._flow(metric, inside, panel.by, RANGE), "", unit, "rate")]
        unit = unit_of(metric, "mean")
        return [
            Query(quantile(0.99, metric.name, inside, panel.by, RANGE), "", unit, "p99"),
            Query(mean(metric.name, inside, panel.by, RANGE), "", unit, "mean"),
            Query(observations(metric.name, inside, panel.by, RANGE), "", "operations/s", "calls"),
        ]

    def _filled(self, expr: str) -> str:
        return filled(" ".join(expr.split()), self._names, self._declared)


def _lead(legend: str, panel: Panel, what: str) -> str:
    return f"{legend} {what}" if panel.by or panel.legend else what
