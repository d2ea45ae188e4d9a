"""The keys `metric` and `metrics` of a script tracer written in YAML: each metric and how fields of the output fill it.

Types and defaults only; whether names, units and labels are good is `soundness`' business.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scalpels_exporter.bindings import COUNTS
from scalpels_exporter.config.parameters import describe
from scalpels_exporter.config.tree import Value
from scalpels_exporter.declare import Binding, Counter, Explicit, Exponential, Gauge, Histogram, Metric
from scalpels_exporter.soundness import BASE_UNITS, metric_problems

FORMATS = ("lines", "columns", "logfmt", "log2", "samples", "openmetrics")
BOUND_FORMATS = FORMATS[:4]  # whose records are bound to metrics; the others name their metrics themselves
_TYPES = {"counter": Counter, "gauge": Gauge, "histogram": Histogram}
_KEYS = ("name", "type", "help", "unit", "labels", "series", "buckets")
_BINDING_KEYS = ("value", "scale", "counts")


@dataclass(frozen=True, slots=True)
class Script:
    """What the rest of the section says and a metric's defaults depend on."""

    tracer: str
    command: str  # as one line
    format: str
    mode: str


def read(value: Value, script: Script) -> tuple[Metric, Binding] | None:
    """One metric and its binding; None where there is no telling which. Mistakes are noted."""
    bound = script.format in BOUND_FORMATS
    keys = value.section((*_KEYS, *_BINDING_KEYS) if bound else _KEYS)
    if not value.is_mapping:
        return None
    if "name" not in keys:
        value.mistake("expected the key name")
        return None
    name = keys["name"].text() or ""
    kind = _kind(name, keys, script.format)
    labels = _labels(keys["labels"], bound) if "labels" in keys else {}
    scale = _scale(keys.get("scale"))
    unit = keys["unit"].text() if "unit" in keys else _unit(name)
    text = keys["help"].text() if "help" in keys else f"As printed by {script.command}."
    series = keys["series"].integer(1, 1_000_000) if "series" in keys else 1000
    field = keys["value"].text() if "value" in keys else "value"
    counts = (keys["counts"].text(COUNTS) if "counts" in keys else None) or _counts(kind, script)
    buckets = _buckets(keys.get("buckets"), kind, script.format, scale)
    common = (name, text or "", tuple(labels), unit or "", series or 1000)
    metric = Histogram(*common, buckets) if kind == "histogram" else _TYPES[kind](*common)
    for problem in metric_problems(script.tracer, metric):
        value.mistake(f"{name}: {problem}")
    return metric, Binding(name, field or "value", labels, scale, counts)


def _kind(name: str, keys: dict[str, Value], format: str) -> str:
    """The type; without one: a histogram where there are buckets or log2, a counter where the name says so."""
    said = keys["type"].text(tuple(_TYPES)) if "type" in keys else None
    if said:
        return said
    if format == "log2" or "buckets" in keys:
        return "histogram"
    return "counter" if name.endswith("_total") else "gauge"


def _unit(name: str) -> str:
    """The base unit that the name ends in, "" for none."""
    stem = name.removesuffix("_total")
    return next((unit for unit in BASE_UNITS if stem.endswith(f"_{unit}")), "")


def _scale(value: Value | None) -> float:
    number = 1.0 if value is None else value.number()
    if value is not None and number == 0:
        value.mistake("expected a number other than 0")
    return number or 1.0


def _counts(kind: str, script: Script) -> str:
    """What a number is where the file does not say.

    Columns are tables of totals. So is what answers a tick, because it prints the whole state each time. A stream of
    lines tells of events. What fills a histogram is always an observation.
    """
    restated = script.format == "columns" or script.mode != "stream"
    return "totals" if kind == "counter" and restated else "increments"


def _labels(value: Value, bound: bool) -> dict[str, str]:
    """Label → field: a list where both have one name, a mapping where they differ."""
    if value.is_mapping:
        if not bound:
            value.mistake("expected a list of label names, got a mapping")
            return {}
        return {label: name for label, field in value.section().items() if (name := field.text())}
    items = value.items("label names" + (", or a mapping of label to field" if bound else "")) or []
    names = [name for item in items if (name := item.text())]
    if len(set(names)) < len(names):
        value.mistake("expected each label once")
    return dict(zip(names, names, strict=True))


def _buckets(value: Value | None, kind: str, format: str, scale: float) -> Exponential | Explicit:
    if value is None:
        if format == "log2":
            # bcc prints whole numbers, `4 -> 7`: the bounds that its counts are exact for are 1, 3, 7 …
            return Explicit(tuple((2**k - 1) * scale for k in range(1, 32)))
        return Exponential()
    if kind != "histogram":
        value.mistake(f"a {kind} has no buckets")
    bounds: list[float] = []
    for item in value.items("upper bounds") or []:
        bound = item.figure()
        if isinstance(bound, bool) or not isinstance(bound, int | float) or not math.isfinite(bound):
            item.mistake(f"expected a finite number, got {describe(bound)}")
        elif bounds and bound <= bounds[-1]:
            item.mistake(f"expected ascending bounds, got {bound} after {bounds[-1]}")
        else:
            bounds.append(bound)
    return Explicit(tuple(map(float, bounds)))
