"""A tracer written in YAML alone: any command, what it prints, and the metrics that it becomes.

Three lines are enough for a script that prints numbers:

    tracers:
      vpn:
        command: /opt/vpn/stat.sh

Every number in a line becomes the gauge `scalpels_vpn_value`, with the word after the number as label `unit`, so
`12.00 pkt/s 3400.00 byte/s` gives two series. With a `pattern` and no metric, each named group `value` is the gauge
`scalpels_vpn_value`, each group `value_WHAT` the gauge `scalpels_vpn_WHAT`, and all other named groups are labels.
Whatever else is wanted is said with `metric` or `metrics`. The result passes through `soundness` like any other.
"""

from __future__ import annotations

import re

from scalpels_exporter.bindings import binding_problems
from scalpels_exporter.config import metrics, shellwords
from scalpels_exporter.config.commands import command_problem
from scalpels_exporter.config.metrics import FORMATS, Script
from scalpels_exporter.config.parameters import pattern_problem, shorten
from scalpels_exporter.config.tree import Value
from scalpels_exporter.config.trust import Trust
from scalpels_exporter.declare import (
    Binding,
    Columns,
    Command,
    Format,
    Gauge,
    Lines,
    Log2,
    Logfmt,
    Metric,
    Needs,
    OpenMetrics,
    Samples,
    Tracer,
)
from scalpels_exporter.soundness import MODES, MOST_SERIES, problems

_KEYS = ("command", "format", "mode", "privileged", "metric", "metrics", "help", "series", "default")
_PATTERNS = {"pattern": "lines", "skip": "lines", "header": "columns", "separator": "columns"}
_OF_FORMAT = {**_PATTERNS, "columns": "columns"}  # key → the format that has it
KEYS = (*_KEYS, *_OF_FORMAT)
_MOST_METRICS = 100

Bound = list[tuple[Metric, Binding]]


def read(name: str, section: Value, trust: Trust) -> tuple[Tracer, dict[str, Value]] | None:
    """The tracer and the keys of its section; None after a mistake, which is noted."""
    before = len(section.mistakes)
    keys = section.section(KEYS)
    mode = (keys["mode"].text(MODES) if "mode" in keys else None) or "stream"
    privileged = bool(keys["privileged"].switch()) if "privileged" in keys else False
    argv = _command(keys["command"], privileged, trust)
    line = shorten(" ".join(argv), 100) or name
    text = keys["help"].text() if "help" in keys else f"What {line} prints."
    series = keys["series"].integer(1, MOST_SERIES) if "series" in keys else None
    kind = keys["format"].text(FORMATS) if "format" in keys else "lines"
    if kind is None:  # what else is wrong hangs on it
        return None
    bound, format = _read(section, keys, Script(name, line, kind, mode))
    if len(section.mistakes) > before:
        return None
    tracer = Tracer(
        name=name,
        help=text or "",
        metrics=tuple(metric for metric, _ in bound),
        runs=Command(argv, format, mode, privileged),
        needs=Needs(commands=() if "/" in argv[0] else (argv[0],)),
        default=True,
        series=series or 2000,
        # Without a pattern the numbers are of many kinds: their sum says nothing.
        picture="" if kind == "lines" and "pattern" not in keys else bound[0][0].name,
    )
    found = problems(tracer)
    # A bad name of the tracer makes bad names of its metrics: one line is enough.
    for problem in [problem for problem in found if problem.startswith("name:")] or found:
        section.mistake(problem)
    return None if found else (tracer, keys)


def _read(section: Value, keys: dict[str, Value], script: Script) -> tuple[Bound, Format]:
    """The metrics and how the output fills them."""
    patterns = {key: _pattern(keys[key]) for key in _PATTERNS if key in keys}
    names = _names(keys["columns"]) if "columns" in keys else ()
    for key, format in _OF_FORMAT.items():
        if key in keys and script.format != format:
            keys[key].mistake(f"has a meaning with the format {format} alone, got {script.format}")
    bound = _metrics(section, keys, script, patterns.get("pattern", ""))
    made = _format(script.format, patterns, names, tuple(binding for _, binding in bound))
    if bound and "" not in (*patterns.values(), *names):  # with a broken pattern there is no telling
        for problem in binding_problems(made, [metric for metric, _ in bound]):
            section.mistake(problem)
    return bound, made


def _command(value: Value, privileged: bool, trust: Trust) -> tuple[str, ...]:
    """The words of the command; () after a mistake."""
    if value.is_list:
        words = [item.text() for item in value.items("words") or []]
        if not words or None in words:
            if not words:
                value.mistake("expected a command, got an empty list")
            return ()
        argv = tuple(word for word in words if word)
    else:
        text = value.text()
        if text is None:
            return ()
        try:
            argv = shellwords.split(text)
        except ValueError as exc:
            value.mistake(str(exc))
            return ()
    problem = command_problem(argv, privileged, trust)
    if problem:
        value.mistake(problem)
    return argv


def _pattern(value: Value) -> str:
    text = value.text()
    problem = pattern_problem(text) if text else ""
    if problem:
        value.mistake(problem)
    return "" if problem else text or ""


def _names(value: Value) -> tuple[str, ...]:
    """The columns' names; ("",) after a mistake."""
    items = value.items("names of columns")
    names = [item.text() for item in items or []]
    if items == []:
        value.mistake("expected the names of the columns, got none")
    return tuple(name for name in names if name) if names and None not in names else ("",)


def _format(kind: str, patterns: dict[str, str], names: tuple[str, ...], bindings: tuple[Binding, ...]) -> Format:
    match kind:
        case "lines":
            return Lines(patterns.get("pattern", ""), bindings, patterns.get("skip", ""))
        case "columns":
            return Columns(patterns.get("header", ""), patterns.get("separator", r"\s+"), bindings, names)
        case "logfmt":
            return Logfmt(bindings)
        case "log2":
            return Log2(bindings)
        case "openmetrics":
            return OpenMetrics()
    return Samples()


def _metrics(section: Value, keys: dict[str, Value], script: Script, pattern: str) -> Bound:
    if "metric" in keys and "metrics" in keys:
        keys["metrics"].mistake("expected either metric or metrics, got both")
        return []
    if "metric" in keys:
        listed = [keys["metric"]]
    elif "metrics" in keys:
        listed = keys["metrics"].items("metrics") or []
        if not 0 < len(listed) <= _MOST_METRICS:
            keys["metrics"].mistake(f"expected 1 to {_MOST_METRICS} metrics, got {len(listed)}")
    elif script.format != "lines":
        section.mistake(f"expected the key metric or metrics, which the format {script.format} needs")
        return []
    else:
        return _guessed(section, script, pattern, asked="pattern" in keys)
    found = [metrics.read(value, script) for value in listed]
    return [one for one in found if one is not None]


def _guessed(section: Value, script: Script, pattern: str, asked: bool) -> Bound:
    """The metrics of a script of which nothing is said."""
    text = f"Numbers that {script.command} prints."
    if not asked:
        metric = Gauge(f"scalpels_{script.tracer}_value", text[:-1] + ", by the word after each.", ("unit",))
        return [(metric, Binding(metric.name, "value", {"unit": "unit"}))]
    if not pattern:  # a mistake, noted already
        return []
    groups = tuple(re.compile(pattern).groupindex)
    values = [group for group in groups if group == "value" or group.startswith("value_")]
    labels = {group: group for group in groups if group not in values}
    if not values:
        section.mistake(
            "expected a named group (?P<value>…) in the pattern, or the key metric that says what is counted"
        )
        return []
    bound: Bound = []
    for group in values:
        metric = Gauge(f"scalpels_{script.tracer}_{group.removeprefix('value_')}", text, tuple(labels))
        bound.append((metric, Binding(metric.name, group, labels)))
    return bound
