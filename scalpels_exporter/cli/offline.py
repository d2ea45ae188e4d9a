"""`scalpels list --offline`: the declared tracers, and whether this configuration has them on. Asks no agent."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson
from rich.text import Text

from scalpels_exporter.cli.clean import clean
from scalpels_exporter.cli.exits import OK
from scalpels_exporter.cli.screen import Screen
from scalpels_exporter.cli.table import Column, Table
from scalpels_exporter.config.load import load
from scalpels_exporter.config.settings import Chosen


def show(config: Path | None, *, as_json: bool) -> int:
    """Raises Mistakes for a bad configuration."""
    settings = load(config)
    tracers = [settings.tracers[name] for name in sorted(settings.tracers)]
    if as_json:
        sys.stdout.write(orjson.dumps([_plain(chosen) for chosen in tracers], option=orjson.OPT_INDENT_2).decode())
        sys.stdout.write("\n")
        return OK
    table = Table([Column("TRACER"), Column("CONFIGURED"), Column("DEFAULT"), Column("MEASURES", elastic=True)])
    for chosen in tracers:
        table.add(
            Text(chosen.tracer.name, style="bold"),
            Text("on", "green") if chosen.enabled else Text("off", "dim"),
            "on" if chosen.tracer.default else "off",
            clean(chosen.tracer.help),
        )
    table.print_on(Screen())
    return OK


def _plain(chosen: Chosen) -> dict[str, object]:
    tracer = chosen.tracer
    return {
        "tracer": tracer.name,
        "help": tracer.help,
        "enabled": chosen.enabled,
        "default": tracer.default,
        "stem": chosen.stem,
        "overhead": tracer.overhead,
        "parameters": dict(chosen.parameters),
        "metrics": [metric.name for metric in tracer.metrics],
    }
