"""Writes the parts of README.md and docs/ that follow from the declarations, between their markers.

    <!-- generated: NAME -->
    …
    <!-- end -->

`make update` runs it; tests/docs compares. What stands outside the markers is written by hand and left alone.
"""

from __future__ import annotations

import re
import sys
from argparse import SUPPRESS, Action, ArgumentParser
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from scalpels_exporter.bpf.worker import LOADER_CAPABILITIES
from scalpels_exporter.catalog import find
from scalpels_exporter.cli.main import VERBS
from scalpels_exporter.config import durations
from scalpels_exporter.config.parameters import one_of
from scalpels_exporter.declare import Bpf, Command, Metric, Parameter, Tracer

ROOT = Path(__file__).resolve().parent.parent
_PART = re.compile(r"(<!-- generated: ([a-z-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def documents() -> list[Path]:
    """Every page that may hold generated parts."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def parts() -> dict[str, str]:
    """The text of every generated part by its name."""
    tracers = [found.tracer for _, found in sorted(find().items())]
    return {
        "tracers": _table(("tracer", "what it tells", "default", "measured cost"), map(_summary, tracers)),
        "metrics": "\n".join(_metrics(tracer) for tracer in tracers),
        "parameters": "\n".join(_parameters(tracer) for tracer in tracers),
        "capabilities": _table(("tracer", "runs as", "keeps", "needs besides"), map(_privileges, tracers)),
        "verbs": "\n".join(_verb(verb, summary) for verb, summary in VERBS.items()),
    }


def rewrite(text: str, generated: dict[str, str]) -> str:
    """`text` with its generated parts renewed. KeyError for a marker that nothing generates."""
    return _PART.sub(lambda match: f"{match[1]}{generated[match[2]].rstrip()}\n{match[4]}", text)


def _summary(tracer: Tracer) -> Sequence[str]:
    default = "on" if tracer.default else "off"
    return f"`{tracer.name}`", tracer.help, default, tracer.overhead or "not measured yet"


def _metrics(tracer: Tracer) -> str:
    rows = ((f"`{_shown(metric)}`", metric.kind, metric.help) for metric in tracer.metrics)
    return f"**{tracer.name}**: {tracer.help}\n\n{_table(('metric', 'type', 'help'), rows)}"


def _shown(metric: Metric) -> str:
    return f"{metric.name}{{{','.join(metric.labels)}}}" if metric.labels else metric.name


def _parameters(tracer: Tracer) -> str:
    if not tracer.parameters:
        return f"`{tracer.name}` has no parameters of its own.\n"
    rows = ((f"`{p.name}`", _kind(p), f"`{_value(p, p.default)}`", p.help) for p in tracer.parameters)
    return f"`{tracer.name}`:\n\n{_table(('parameter', 'kind', 'default', 'what it does'), rows)}"


def _kind(parameter: Parameter) -> str:
    if parameter.choices:
        return f"{parameter.kind}: {one_of(parameter.choices)}"
    least, most = (None if n is None else _value(parameter, n) for n in (parameter.least, parameter.most))
    if least is not None and most is not None:
        return f"{parameter.kind}, {least} to {most}"
    if least is not None:
        return f"{parameter.kind}, at least {least}"
    return f"{parameter.kind}, at most {most}" if most is not None else parameter.kind


def _value(parameter: Parameter, value: Any) -> str:
    """As it would stand in the user's YAML."""
    match parameter.kind, value:
        case "duration", _:
            return durations.render(float(value))
        case "switch", _:
            return "on" if value else "off"
        case "texts", [*words]:
            return f"[{', '.join(words)}]"
        case "texts", _:
            return f"{value:g}"
        case _, "":
            return '""'
    return f"{value:g}" if isinstance(value, float) else str(value)


def _privileges(tracer: Tracer) -> Sequence[str]:
    needs = tracer.needs
    privileged = isinstance(tracer.runs, Command) and tracer.runs.privileged
    besides = [f"`{name}`" for name in (*needs.commands, *needs.files)]
    if needs.kernel > (0, 0):
        besides.append(f"Linux {needs.kernel[0]}.{needs.kernel[1]}")
    to_load = [name for name in needs.capabilities if isinstance(tracer.runs, Bpf) and name in LOADER_CAPABILITIES]
    keeps = ", ".join(name for name in needs.capabilities if name not in to_load) or "nothing"
    if to_load:
        keeps += f"; {', '.join(to_load)} to load"
    for switch, names in needs.while_on.items():
        keeps += f"; while `{switch}` is on a child keeps {', '.join(names)}"
    if privileged:
        keeps = "all that the agent was given"
    who = "the agent's own user (root)" if privileged else "`scalpels-worker`"
    if tracer.host:
        who += f", in the worker of `{tracer.host}`"
    return f"`{tracer.name}`", who, keeps, ", ".join(besides) or "nothing"


def _verb(verb: str, summary: str) -> str:
    module = import_module(f"scalpels_exporter.cli.{verb}")
    parser = ArgumentParser(add_help=False)
    module.add_arguments(parser)
    rows = [(f"`{_spelt(action)}`", _said(action)) for action in parser._actions if action.help != SUPPRESS]
    head = f"### {verb}\n\n{summary[0].upper()}{summary[1:]}.\n\n    {module.EXAMPLE}\n"
    return f"{head}\n{_table(('argument', 'is'), rows)}" if rows else head


def _spelt(action: Action) -> str:
    words = [*action.option_strings] or [str(action.metavar or action.dest)]
    if not action.option_strings or action.nargs == 0:
        return ", ".join(words)
    return f"{words[-1]} {action.metavar or ('|'.join(map(str, action.choices)) if action.choices else '…')}"


def _said(action: Action) -> str:
    text = action.help or ""
    if action.option_strings == ["--version"]:
        return "print the version"
    plain = action.default in (None, "", False, SUPPRESS) or "default:" in text
    return text if plain else f"{text} (default: {action.default})"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def main() -> int:
    """Exit status 0; prints the files that changed."""
    generated = parts()
    for path in documents():
        before = path.read_text()
        after = rewrite(before, generated)
        if after != before:
            path.write_text(after)
            sys.stdout.write(f"{path.relative_to(ROOT)} updated\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
