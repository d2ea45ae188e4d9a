"""The rules that bindings keep: each names a declared metric, gives every label and takes fields that records have.

Part of `soundness`, which looks at the rest of the declaration.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from scalpels_exporter.config.parameters import pattern_problem
from scalpels_exporter.declare import (
    Binding,
    Columns,
    Format,
    Gauge,
    Histogram,
    Lines,
    Log2,
    Logfmt,
    Metric,
    OpenMetrics,
    Samples,
)

COUNTS = ("increments", "totals")
PLAIN_FIELDS = ("value", "unit")  # of Lines without a pattern
SECTION_FIELDS = ("section",)  # of Log2
MOST_COLUMNS = 256


def binding_problems(format: Format, metrics: Sequence[Metric]) -> Iterator[str]:
    """One line for each rule that the format's patterns and bindings break."""
    if isinstance(format, Samples | OpenMetrics):
        return
    broken = list(_of_patterns(format))
    yield from broken
    declared = {metric.name: metric for metric in metrics}
    fields = None if broken else _fields(format)
    for binding in format.bindings:
        metric = declared.get(binding.metric)
        if metric is None:
            yield f'a binding names the metric "{binding.metric}", which is not declared'
        else:
            found = _of_binding(format, binding, metric, fields)
            yield from (f"binding of {binding.metric}: {problem}" for problem in found)
    if isinstance(format, Log2):
        if len(format.bindings) != 1:
            yield f"the format log2 has exactly one binding, got {len(format.bindings)}"
    else:
        bound = {binding.metric for binding in format.bindings}
        yield from (f"the metric {name} has no binding" for name in declared if name not in bound)


def _of_patterns(format: Lines | Columns | Logfmt | Log2) -> Iterator[str]:
    if isinstance(format, Lines):
        patterns = [("pattern", format.pattern), ("skip", format.skip)]
    elif isinstance(format, Columns):
        patterns = [("header", format.header), ("separator", format.separator)]
        if not format.separator:
            yield "separator: expected a regular expression, got nothing"
        yield from _of_names(format.names)
    else:
        return
    for what, pattern in patterns:
        problem = pattern_problem(pattern)
        if problem:
            yield f"{what}: {problem}"
        elif pattern and what in ("pattern", "separator") and re.search(pattern, ""):
            # It would then match between any two characters.
            yield f"{what}: matches the empty text"


def _of_names(names: Sequence[str]) -> Iterator[str]:
    if len(names) > MOST_COLUMNS:
        yield f"columns: expected at most {MOST_COLUMNS}, got {len(names)}"
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        yield f'columns: "{twice[:40]}" is named twice'


def _fields(format: Lines | Columns | Logfmt | Log2) -> tuple[str, ...] | None:
    """The fields that records have, None where only the output can tell."""
    if isinstance(format, Lines):
        return tuple(re.compile(format.pattern).groupindex) if format.pattern else PLAIN_FIELDS
    if isinstance(format, Columns):
        return format.names or None
    return SECTION_FIELDS if isinstance(format, Log2) else None


def _of_binding(
    format: Lines | Columns | Logfmt | Log2, binding: Binding, metric: Metric, fields: tuple[str, ...] | None
) -> Iterator[str]:
    if set(binding.labels) != set(metric.labels):
        got = ", ".join(binding.labels) or "none"
        yield f"expected the labels {', '.join(metric.labels) or 'none'}, got {got}"
    if fields is not None:
        labels = binding.labels.values()
        used = [*labels] if isinstance(format, Log2) or not binding.value else [binding.value, *labels]
        for name in used:
            if name not in fields:
                yield f'the records have no field "{name}", {_instead(format, name, fields)}'
    if binding.counts not in COUNTS:
        yield f'counts: expected increments or totals, got "{binding.counts[:40]}"'
    if not math.isfinite(binding.scale) or binding.scale == 0:
        yield f"scale: expected a number other than 0, got {binding.scale}"
    elif binding.scale < 0 and not isinstance(metric, Gauge):
        yield f"scale: expected a number above 0 for a {metric.kind}, got {binding.scale}"
    if isinstance(format, Log2) and not isinstance(metric, Histogram):
        yield f"the format log2 fills a histogram, not a {metric.kind}"
    if isinstance(metric, Histogram) and not isinstance(format, Log2) and binding.counts == "totals":
        yield "counts: an observation of a histogram is no total"


def _instead(format: Lines | Columns | Logfmt | Log2, name: str, fields: Sequence[str]) -> str:
    """What there is, or what makes the field."""
    if isinstance(format, Lines) and format.pattern and not fields:
        return f"because the pattern has no named group: (?P<{name}>…)"
    return f"only {', '.join(fields)}"
