"""Units: what a metric is declared in → what Grafana is told, by the way in which it is shown."""

from __future__ import annotations

from dashboards.declared import Declared

# The units that a panel may name, and Grafana's names for them.
UNITS = {
    "seconds": "s",
    "bytes": "bytes",
    "bytes/s": "binBps",
    "per second": "cps",
    "operations/s": "ops",
    "requests/s": "reqps",
    "packets/s": "pps",
    "share": "percentunit",
    "number": "short",
    "times": "suffix:×",
    "moment": "dateTimeFromNow",
    "text": "string",
}
_OF_A_RATE = {"bytes": "bytes/s", "seconds": "share", "": "per second"}
_OF_A_VALUE = {"bytes": "bytes", "seconds": "seconds", "ratio": "share", "": "number"}
_BY_ITSELF = {"quantiles": "seconds", "mean": "seconds", "heatmap": "seconds", "age": "seconds", "share": "share"}


def unit_of(metric: Declared, show: str) -> str:
    """The unit, as a key of UNITS, of a metric that is shown so. Histograms of other things have that thing's unit."""
    if metric.kind == "histogram" and show in ("quantiles", "mean", "heatmap"):
        return _OF_A_VALUE[metric.unit]
    if show in _BY_ITSELF:
        return _BY_ITSELF[show]
    if show in ("rate", "errors"):
        return "operations/s" if metric.kind == "histogram" else _OF_A_RATE[metric.unit]
    return _OF_A_VALUE[metric.unit]
