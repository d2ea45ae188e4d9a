"""The rules that a declaration with a kernel program must keep. Pure, as the package's `soundness`, which asks here.

`hosting_problems` looks at all declarations together; everything else at one.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from scalpels_exporter.bpf import hosted
from scalpels_exporter.bpf.decoders import NAMES
from scalpels_exporter.bpf.definitions import Missing
from scalpels_exporter.config.settings import Chosen
from scalpels_exporter.declare import (
    Bpf,
    Counter,
    Distribution,
    Exponential,
    Field,
    Gauge,
    Histogram,
    Library,
    Parser,
    RawTracepoint,
    Table,
    Tracer,
)

_C_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_MAP_NAME = re.compile(r"[a-z][a-z0-9_]{0,14}")  # the kernel keeps 15 letters
_DEFINE = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
_SYMBOL = re.compile(r"[A-Za-z_][A-Za-z0-9_.$]{0,255}")
_POINT = re.compile(r"[A-Za-z0-9_]+")
_FORMATS = re.compile(r"[bBhHiIqQ]|[1-9]\d{0,2}s")
_TAKEN = ("programs", "lost", hosted.SWITCHES)
_MOST_PROBES = 512
_MOST_IN_A_FILE = 16  # each is a descriptor, in each file


def bpf_problems(tracer: Tracer, runs: Bpf | Parser) -> Iterator[str]:
    """One line for each rule that is broken."""
    if isinstance(runs, Parser):
        yield from _of_parser(runs)
    else:
        yield from _of_probes(tracer, runs)
    if runs.source and ("/" in runs.source or not runs.source.endswith(".c")):
        yield f'source: expected the name of a .c file beside the stem, got "{runs.source[:60]}"'
    if runs.companion and not _C_NAME.fullmatch(runs.companion):
        yield f'expected the name of a function, got "{runs.companion[:40]}"'
    for offset in runs.offsets:
        if not _DEFINE.fullmatch(offset.define):
            yield f'offset {offset.struct}.{offset.member}: expected a name in capitals, got "{offset.define[:40]}"'
    for reason in runs.lost:
        if not _MAP_NAME.fullmatch(reason) or reason == "full":
            yield f'lost: expected lower-case words, and not full, which is there already; got "{reason[:40]}"'
    for table in runs.tables:
        yield from (f"map {table.map}: {problem}" for problem in _of_table(tracer, table))


def hosting_problems(tracers: Mapping[str, Tracer]) -> Iterator[tuple[str, str]]:
    """The name of a tracer, and a rule that it breaks as a host of others or as one that lives in another's worker."""
    for name, tracer in sorted(tracers.items()):
        host = tracers.get(tracer.host)
        if tracer.host and not (host and isinstance(host.runs, Bpf) and host.runs.calls):
            what = "its runs has no calls" if host else "there is no tracer of that name"
            yield name, f"runs: host {tracer.host[:40]}: {what}"
        members = [one for _, one in sorted(tracers.items()) if one.host == name]
        if not members or not isinstance(tracer.runs, Bpf):
            continue
        if len(members) > hosted.MOST_MEMBERS:
            yield name, f"runs: expected at most {hosted.MOST_MEMBERS} tracers in its worker, found {len(members)}"
        whole = replace(_by_default(tracer), members=tuple(map(_by_default, members)))
        try:
            hosted.definitions(whole)
            hosted.all_offsets(whole, None)
        except hosted.Twice as twice:
            yield name, f"runs: {twice}"
        except Missing:
            pass  # of an offset that is required: here there is no kernel to look at


def _by_default(tracer: Tracer) -> Chosen:
    return Chosen(tracer, False, {one.name: one.default for one in tracer.parameters})


def _of_parser(runs: Parser) -> Iterator[str]:
    if not runs.host:
        yield "host: expected the name of a tracer, got nothing"
    if not runs.programs:
        yield "expected at least one program"
    yield from _of_functions((*runs.recognisers, *runs.programs, *filter(None, (runs.check,))), once=True)
    if runs.check and not runs.companion:
        yield "check: expected a companion, which runs it"


def _of_probes(tracer: Tracer, runs: Bpf) -> Iterator[str]:
    if not 0 < len(runs.probes) <= _MOST_PROBES:
        yield f"expected 1 to {_MOST_PROBES} probes, got {len(runs.probes)}"
    yield from _of_functions([*(probe.function for probe in runs.probes), *filter(None, (runs.selftest,))])
    for probe in runs.probes:
        yield from _of_point(tracer, probe.name, isinstance(probe, RawTracepoint))
    if runs.library:
        yield from (f"library: {problem}" for problem in _of_library(tracer, runs.library))
    if runs.calls and not _C_NAME.fullmatch(runs.calls):
        yield f'calls: expected the name of a map, got "{runs.calls[:40]}"'
    if runs.programs and not runs.calls:
        yield "programs: expected calls, which names the map to put them into"
    yield from _of_functions(runs.programs, once=True)


def _of_library(tracer: Tracer, library: Library) -> Iterator[str]:
    if not 0 < len(library.probes) <= _MOST_IN_A_FILE:
        yield f"expected 1 to {_MOST_IN_A_FILE} probes, got {len(library.probes)}"
    yield from _of_functions([probe.function for probe in library.probes])
    for probe in library.probes:
        if not _SYMBOL.fullmatch(probe.symbol):
            yield f'expected the name of a symbol, got "{probe.symbol[:60]}"'
    if library.when not in [parameter.name for parameter in tracer.parameters if parameter.kind == "switch"]:
        yield f"when: there is no switch {library.when[:40]} among the parameters"
    if not isinstance(tracer.metric(library.gauge), Gauge):
        yield f"gauge: {library.gauge[:60]} is no gauge among the metrics"
    if not _MAP_NAME.fullmatch(library.wanted):
        yield f'wanted: expected the name of a map, got "{library.wanted[:40]}"'


def _of_functions(names: Sequence[str], *, once: bool = False) -> Iterator[str]:
    for place, name in enumerate(names):
        if not _C_NAME.fullmatch(name):
            yield f'expected the name of a function, got "{name[:40]}"'
        if once and name in names[:place]:
            yield f"the function {name[:40]} has one place, and is named twice"


def _of_point(tracer: Tracer, name: str, raw: bool) -> Iterator[str]:
    lists = [parameter.name for parameter in tracer.parameters if parameter.kind == "texts"]
    plain = re.sub(r"\{(\w+)\}", lambda m: "x" if m[1] in lists and not raw else m[0], name, count=1)
    if not _POINT.fullmatch(plain):
        yield f'probe: expected a tracepoint\'s name, with {{x}} for a parameter x of texts; got "{name[:60]}"'


def _of_table(tracer: Tracer, table: Table) -> Iterator[str]:
    if not _MAP_NAME.fullmatch(table.map) or table.map in _TAKEN:
        yield "expected a name of lower-case letters and digits, at most 15, and none of programs, lost and switches"
    if not table.key or not table.values:
        yield "expected a key and a value"
    for field in table.key:
        yield from (f"key {field.label}: {problem}" for problem in _of_field(field))
    labels = {field.label for field in table.key}
    if sum(isinstance(value, Distribution) for value in table.values) > 1:
        yield "expected one Distribution at most"
    for value in table.values:
        metric = tracer.metric(value.metric)
        if metric is None:
            yield f"{value.metric} is not among the metrics"
            continue
        if isinstance(value, Distribution):
            if not (isinstance(metric, Histogram) and isinstance(metric.buckets, Exponential)):
                yield f"{metric.name}: a Distribution is a Histogram with Exponential buckets"
        elif not isinstance(metric, Counter):
            yield f"{metric.name}: a Count is a Counter"
        for label in metric.labels:
            if label not in labels:
                yield f"{metric.name}: no member of the key gives the label {label}"


def _of_field(field: Field) -> Iterator[str]:
    if field.decoder not in NAMES:
        yield f'expected a decoder, one of {", ".join(NAMES)}; got "{field.decoder[:40]}"'
    if not _FORMATS.fullmatch(field.format):
        yield f'expected one letter of Python\'s struct, or a length and s; got "{field.format[:20]}"'
    elif (field.decoder == "text") != field.format.endswith("s"):
        yield "a text, and nothing else, has a format like 16s"
    elif struct.calcsize(field.format) > 256:
        yield "expected at most 256 bytes"
    if bool(field.words) != (field.decoder == "choice"):
        yield "a choice, and nothing else, has words"
