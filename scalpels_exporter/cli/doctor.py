"""`scalpels doctor`: which tracers this host can run, why not the others, and the command that mends it."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

import orjson
from rich.text import Text

from scalpels_exporter.catalog import builtin_shelf
from scalpels_exporter.cli import service
from scalpels_exporter.cli.clean import clean
from scalpels_exporter.cli.exits import FAILED, OK
from scalpels_exporter.cli.files import add_config_argument
from scalpels_exporter.cli.host import BAD, NOTE, Finding, Host, findings
from scalpels_exporter.cli.screen import Screen
from scalpels_exporter.config.settings import Chosen
from scalpels_exporter.declare import Bpf, Tracer
from scalpels_exporter.needs import TO_MEASURE, Lack, for_a_unit, lacks_with_host, required

EXAMPLE = "sudo scalpels doctor"

STYLES = {"ok": "green", NOTE: "cyan", BAD: "bold red"}


@dataclass(frozen=True, slots=True)
class Patient:
    """One tracer: whether the configuration has it on, and what the host lacks for it."""

    tracer: str
    enabled: bool
    lacks: Sequence[Lack]


def add_arguments(parser: ArgumentParser) -> None:
    add_config_argument(parser)
    parser.add_argument("--json", action="store_true", help="the same as JSON")


def run(args: Namespace) -> int:
    settings, configuration = service.configuration(args.config)
    chosen = settings.tracers if settings else _defaults()
    every = {name: one.needed() for name, one in chosen.items()}
    enabled = {name for name, one in chosen.items() if one.enabled}
    on = _wanted(enabled, every)
    patients = [Patient(n, every[n] in on, lacks_with_host(every[n], every)) for n in sorted(every)]
    ambient = for_a_unit(on)
    measuring = _to_measure(on, ambient)
    general = [*findings(Host(), ambient, measuring), configuration, service.port()]
    well = settings is not None and not any(p.lacks for p in patients if p.enabled)
    if args.json:
        _write_json(general, patients, {"ambient": ambient, "measuring": measuring}, well)
    else:
        show(general, patients, Screen())
    return OK if well else FAILED


def _defaults() -> Mapping[str, Chosen]:
    """As declared, for want of a good configuration."""
    return {name: Chosen(found.tracer, found.tracer.default) for name, found in builtin_shelf().found.items()}


def _wanted(enabled: Collection[str], every: Mapping[str, Tracer]) -> list[Tracer]:
    """What is on, and what that needs beside it."""
    found = {one.name: one for name in enabled for one in (every[name], *required(every[name], every))}
    return [found[name] for name in sorted(found)]


def _to_measure(on: Sequence[Tracer], ambient: list[str]) -> list[str]:
    """What an agent that is not root needs beside `ambient` to know what its kernel programs cost."""
    has_kernel_programs = any(isinstance(tracer.runs, Bpf) for tracer in on)
    return [TO_MEASURE] if has_kernel_programs and TO_MEASURE not in ambient else []


def _write_json(
    general: Sequence[Finding], patients: Sequence[Patient], capabilities: Mapping[str, list[str]], well: bool
) -> None:
    content = {
        "can_run": well,
        "ambient_capabilities": capabilities["ambient"],
        "measuring_capabilities": capabilities["measuring"],
        "host": [asdict(finding) for finding in general],
        "tracers": [{**asdict(patient), "can_run": not patient.lacks} for patient in patients],
    }
    sys.stdout.write(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode())


def show(general: Sequence[Finding], patients: Sequence[Patient], screen: Screen) -> None:
    width = max(len(name) for name in [*(f.subject for f in general), *(p.tracer for p in patients)])
    screen.line(Text("HOST", "dim"))
    for finding in general:
        _entry(screen, width, finding.verdict, finding.subject, finding.found, finding.cure)
    screen.line()
    screen.line(Text("TRACERS", "dim"))
    for patient in patients:
        state = "on" if patient.enabled else "off"
        first, *more = [*patient.lacks, *([] if patient.lacks else [Lack("", "")])]
        verdict = "ok" if not patient.lacks else BAD if patient.enabled else NOTE
        _entry(screen, width, verdict, patient.tracer, f"{state}{': ' if first.what else ''}{first.what}", first.cure)
        for lack in more:
            _entry(screen, width, "", "", lack.what, lack.cure)
    screen.line()
    screen.line(_summary(patients))


def _entry(screen: Screen, width: int, verdict: str, subject: str, found: str, cure: str) -> None:
    """A line, more where the terminal is narrow, and beneath it what mends it: never cut or broken, to be copied."""
    indent = 2 + 4 + 2 + width + 2
    lines = screen.wrapped(clean(found), indent)
    head = Text("  ").append(f"{verdict:4}", STYLES.get(verdict, "")).append(f"  {subject:{width}}  ", "bold")
    screen.line(head.append(lines[0]))
    for line in lines[1:]:
        screen.line(" " * indent + line)
    if cure:
        screen.line(Text(" " * indent).append("→ ", "dim").append(clean(cure)), whole=True)


def _summary(patients: Sequence[Patient]) -> Text:
    ill = [p.tracer for p in patients if p.enabled and p.lacks]
    if ill:
        return Text(f"cannot run here, though on: {', '.join(ill)}", "bold")
    return Text("every tracer that is on can run here")
