"""Every rule that a declaration must keep, wherever it comes from: a built-in stem, a user's stem, YAML.

Pure: looks at the declaration alone, never at the host (`needs`) or at files (`catalog`). What breaks a rule here
would otherwise break at a scrape, in Prometheus or in a dashboard.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from scalpels_exporter import capabilities
from scalpels_exporter.bindings import binding_problems
from scalpels_exporter.bpf.soundness import bpf_problems
from scalpels_exporter.config.parameters import accept
from scalpels_exporter.config.shapes import misfits
from scalpels_exporter.declare import (
    Bpf,
    Command,
    Counter,
    Ends,
    Explicit,
    Exponential,
    Generator,
    Histogram,
    Info,
    Metric,
    Parameter,
    Parser,
    Samples,
    Tracer,
)

RESERVED_NAMES = frozenset({"agent", "worker", "fleet", "tracer", "build", "config"})  # the agent's own metrics
# Keys that a tracer's section has in the configuration besides its parameters.
RESERVED_PARAMETERS = frozenset({"series", "default", "command"})
# A target's own labels, or what Prometheus adds: the scraped one would be renamed to exported_….
CLASHING_LABELS = frozenset(
    {"service", "instance", "job", "pod", "namespace", "container", "type", "env", "cluster", "le", "quantile"}
)
# One series for each process that ever lived: programs are named instead.
PROCESS_LABELS = frozenset({"pid", "tgid", "ppid", "tid"})
MODES = ("stream", "ticked", "rerun")
MOST_SERIES = 1_000_000
BASE_UNITS = ("seconds", "bytes", "ratio", "celsius", "joules", "watts", "volts", "amperes", "meters", "grams", "hertz")
_OTHER_UNITS = re.compile(
    r"(?:^|_)(ms|us|ns|msecs?|usecs?|nsecs?|milliseconds|microseconds|nanoseconds|minutes|hours|days|"
    r"kilobytes|megabytes|kb|mb|gb|kib|mib|gib|bits|percent)$"
)

_TRACER_NAME = re.compile(r"[a-z][a-z0-9]{1,15}")
_METRIC_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_LABEL_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_RESERVED_SUFFIXES = ("_total", "_sum", "_count", "_bucket", "_created", "_info")
_LONGEST_NAME = 120
_LONGEST_HELP = 400
_MOST_LABELS = 8
_MOST_BUCKETS = 100
_LEAST_EXPONENT, _MOST_EXPONENT = -40, 60  # a picosecond … an exbibyte


def problems(tracer: Tracer) -> list[str]:
    """One line for each rule that the declaration breaks; empty when it is sound."""
    misshapen = list(misfits(tracer))
    if misshapen:  # the rules below take the types for granted
        return misshapen
    found = _of_name(tracer.name)
    found += [f"help: {problem}" for problem in _of_help(tracer.help)]
    if not tracer.metrics:
        found.append("metrics: expected at least one")
    for metric in tracer.metrics:
        found += [f"metric {metric.name}: {problem}" for problem in metric_problems(tracer.name, metric)]
    found += _repeated("metric", (metric.name.removesuffix("_total") for metric in tracer.metrics))
    for parameter in tracer.parameters:
        found += [f"parameter {parameter.name}: {problem}" for problem in _of_parameter(parameter)]
    found += _repeated("parameter", (parameter.name for parameter in tracer.parameters))
    found += _of_run(tracer)
    found += [
        f"needs: {name} is no Linux capability"
        for names in (tracer.needs.capabilities, *tracer.needs.while_on.values())
        for name in names
        if name not in capabilities.NAMES
    ]
    if not 0 < tracer.series <= MOST_SERIES:
        found.append(f"series: expected 1 to {MOST_SERIES}, got {tracer.series}")
    if tracer.picture and tracer.metric(tracer.picture) is None:
        found.append(f'picture: expected the name of a declared metric, got "{tracer.picture}"')
    found += _of_summary(tracer)
    if not _one_line(tracer.overhead):
        found.append("overhead: expected one line")
    return found


def _of_summary(tracer: Tracer) -> Iterator[str]:
    if tracer.summary is None:
        return
    if isinstance(tracer.summary, Ends):
        yield from _of_ends(tracer, tracer.summary)
        return
    times, errors = tracer.metric(tracer.summary.times), tracer.metric(tracer.summary.errors)
    for name in (tracer.summary.times, *tracer.summary.more):
        found = tracer.metric(name)
        if not isinstance(found, Histogram) or found.unit != "seconds":
            yield f'summary: expected a histogram of seconds, got "{name[:80]}"'
        elif tracer.summary.failed[0] and tracer.summary.failed[0] not in found.labels:
            yield f'summary: {name} has no label "{tracer.summary.failed[0][:40]}"'
    if times is None:
        return
    if tracer.summary.errors and (not isinstance(errors, Counter) or not set(times.labels) <= set(errors.labels)):
        yield f'summary: expected a counter with the labels of {times.name}, got "{tracer.summary.errors[:80]}"'


def _of_ends(tracer: Tracer, ends: Ends) -> Iterator[str]:
    for name in ends.times.values():
        times = tracer.metric(name)
        if not isinstance(times, Histogram) or times.unit != "seconds" or not {"program", ends.by} <= set(times.labels):
            yield f'summary: expected a histogram of seconds by program and {ends.by}, got "{name[:80]}"'
    wanted = {"program", "side", ends.by}
    for name in filter(None, (ends.errors, *ends.wrong.values())):
        counter = tracer.metric(name)
        if not isinstance(counter, Counter) or not wanted <= set(counter.labels):
            yield f'summary: expected a counter by program, side and {ends.by}, got "{name[:80]}"'


def _of_name(name: str) -> list[str]:
    if not _TRACER_NAME.fullmatch(name):
        return [f'name: expected 2 to 16 lower-case letters and digits, a letter first, got "{name[:40]}"']
    if name in RESERVED_NAMES:
        return [f'name: "{name}" is reserved for the agent\'s own metrics']
    return []


def _one_line(text: str) -> bool:
    return text.isprintable()


def _of_help(text: str) -> Iterator[str]:
    if not text.strip():
        yield "expected a sentence, got nothing"
    elif not _one_line(text):
        yield "expected one line without control characters"
    elif len(text) > _LONGEST_HELP:
        yield f"expected at most {_LONGEST_HELP} characters, got {len(text)}"


def _repeated(what: str, names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    twice: list[str] = []
    for name in names:
        if name in seen and name not in twice:
            twice.append(name)
        seen.add(name)
    return [f"{what} {name}: declared twice" for name in twice]


def metric_problems(tracer: str, metric: Metric) -> Iterator[str]:
    """One line for each rule that a metric of `tracer` breaks by itself."""
    if type(metric) is Metric:
        yield "expected a Counter, Gauge or Histogram"
    yield from _of_metric_name(tracer, metric)
    yield from _of_unit(metric)
    yield from (f"help: {problem}" for problem in _of_help(metric.help))
    yield from _of_labels(metric.labels)
    if isinstance(metric, Histogram):
        yield from _of_buckets(metric.buckets)
    if not 0 < metric.series <= MOST_SERIES:
        yield f"series: expected 1 to {MOST_SERIES}, got {metric.series}"


def _of_metric_name(tracer: str, metric: Metric) -> Iterator[str]:
    name = metric.name
    if not _METRIC_NAME.fullmatch(name):
        yield "expected a name of lower-case words joined by single underscores"
        return
    if len(name) > _LONGEST_NAME:
        yield f"expected a name of at most {_LONGEST_NAME} characters"
    if name != f"scalpels_{tracer}" and not name.startswith(f"scalpels_{tracer}_"):
        yield f"expected a name that begins with scalpels_{tracer}_"
    if isinstance(metric, Counter) and not name.endswith("_total"):
        yield "a counter's name ends in _total"
    if isinstance(metric, Info) and not name.endswith("_info"):
        yield "an info's name ends in _info"
    ending = "_total" if isinstance(metric, Counter) else "_info" if isinstance(metric, Info) else ""
    stem = name.removesuffix(ending)
    suffix = next((suffix for suffix in _RESERVED_SUFFIXES if stem.endswith(suffix)), "")
    if suffix:
        yield f"a {metric.kind}'s name does not end in {suffix}"


def _of_unit(metric: Metric) -> Iterator[str]:
    stem = metric.name.removesuffix("_total")
    if metric.unit:
        if not stem.endswith(f"_{metric.unit}"):
            yield f"the unit {metric.unit} is not the end of the name (before _total)"
    else:
        named = next((unit for unit in BASE_UNITS if stem.endswith(f"_{unit}")), "")
        if named:
            yield f'the name says {named}: declare unit="{named}"'
    other = _OTHER_UNITS.search(stem)
    if other:
        yield f"{other[1]} is no base unit; use {', '.join(BASE_UNITS[:3])} … and a scale"


def _of_labels(labels: tuple[str, ...]) -> Iterator[str]:
    if len(labels) > _MOST_LABELS:
        yield f"expected at most {_MOST_LABELS} labels, got {len(labels)}"
    for label in labels:
        if label in CLASHING_LABELS:
            yield f'label "{label}" clashes with labels that Prometheus or the target gives'
        elif label in PROCESS_LABELS:
            yield f'label "{label}" would make a series for each process; use program'
        elif not _LABEL_NAME.fullmatch(label) or len(label) > _LONGEST_NAME:
            yield f'label "{label[:40]}": expected lower-case words joined by single underscores'
    yield from _repeated("label", labels)


def _of_buckets(buckets: Exponential | Explicit) -> Iterator[str]:
    if isinstance(buckets, Exponential):
        if not _LEAST_EXPONENT <= buckets.lowest < buckets.highest <= _MOST_EXPONENT:
            yield (
                f"buckets: expected {_LEAST_EXPONENT} <= lowest < highest <= {_MOST_EXPONENT}, "
                f"got {buckets.lowest} and {buckets.highest}"
            )
        return
    upper = buckets.upper
    if not 0 < len(upper) <= _MOST_BUCKETS:
        yield f"buckets: expected 1 to {_MOST_BUCKETS} bounds, got {len(upper)}"
    elif not all(map(math.isfinite, upper)):
        yield "buckets: expected finite bounds (+Inf is added)"
    elif any(later <= earlier for earlier, later in pairwise(upper)):
        yield "buckets: expected ascending bounds"


def _of_parameter(parameter: Parameter) -> Iterator[str]:
    if not _LABEL_NAME.fullmatch(parameter.name):
        yield "expected a name of lower-case words joined by single underscores"
    if parameter.name in RESERVED_PARAMETERS:
        yield "the name is a key of every tracer's section"
    yield from (f"help: {problem}" for problem in _of_help(parameter.help))
    least, most = parameter.least, parameter.most
    if least is not None and most is not None and least > most:
        yield f"expected least <= most, got {least} and {most}"
    if parameter.choices and parameter.kind not in ("text", "texts"):
        yield "only a text or texts can have choices"
    try:
        accept(parameter, parameter.default)
    except ValueError as exc:
        yield f"default: {exc}"


def _of_run(tracer: Tracer) -> Iterator[str]:
    runs = tracer.runs
    if isinstance(runs, Generator):
        if not runs.function.isidentifier():
            yield f'runs: expected the name of a function, got "{runs.function[:40]}"'
        if not isinstance(runs.format, Samples):
            yield "runs: a generator's format is Samples"
        return
    if isinstance(runs, Bpf | Parser):
        yield from (f"runs: {problem}" for problem in bpf_problems(tracer, runs))
        return
    yield from _of_command(runs)
    yield from (f"runs: {problem}" for problem in binding_problems(runs.format, tracer.metrics))


def _of_command(command: Command) -> Iterator[str]:
    if not command.argv or not command.argv[0].strip():
        yield "runs: expected a command"
    elif any("\0" in word for word in command.argv):
        yield "runs: a command's words hold no NUL"
    if command.mode not in MODES:
        yield f'runs: expected the mode {", ".join(MODES[:-1])} or {MODES[-1]}, got "{command.mode[:40]}"'
