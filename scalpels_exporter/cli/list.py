"""`scalpels list`: every tracer of the running agent, or, without one, what the configuration says of each."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from scalpels_exporter.cli import client
from scalpels_exporter.cli.exits import OK
from scalpels_exporter.cli.files import add_config_argument
from scalpels_exporter.cli.human import ago, count, size, span
from scalpels_exporter.cli.screen import Screen, clean
from scalpels_exporter.cli.table import Column, Table

EXAMPLE = "scalpels list --json | jq -r '.tracers[] | select(.state == \"failed\") | .tracer'"

STYLES = {
    "running": "green",
    "starting": "cyan",
    "stopping": "cyan",
    "stopped": "dim",
    "backoff": "magenta",
    "unsupported": "magenta",
    "failed": "bold red",
    "shed": "bold red",
}
OBVIOUS = ("configured", "off in the configuration")  # not worth a line of their own in a narrow terminal


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="what the agent says, as JSON")
    parser.add_argument("--offline", action="store_true", help="declared tracers and their defaults, without an agent")
    add_config_argument(parser)
    client.add_arguments(parser)


def run(args: Namespace) -> int:
    if args.offline:
        from scalpels_exporter.cli.offline import show

        return show(args.config, as_json=args.json)
    listing = client.from_arguments(args).listing()
    if args.json:
        sys.stdout.write(listing.content.decode("utf-8", "replace"))
        return OK
    show_tracers(listing.tracers, listing.now, Screen())
    return OK


def show_tracers(tracers: Sequence[Mapping[str, Any]], now: float, screen: Screen) -> None:
    """`now` is the agent's clock, so that ages are right also from another machine."""
    columns = [
        Column("TRACER", elastic=True),
        Column("STATE"),
        Column("SINCE", right=True),
        Column("SERIES", right=True),
        Column("CPU", right=True),
        Column("MEMORY", right=True),
        Column("LEASE", right=True),
    ]
    rows = [_row(tracer, now) for tracer in tracers]
    one_line = Table([*columns, Column("WHY", elastic=True)])
    for row, tracer in zip(rows, tracers, strict=True):
        one_line.add(*row, _why(tracer))
    if screen.width is None or one_line.natural_width <= screen.width:
        one_line.print_on(screen)
        return
    narrow = Table(columns)
    for row in rows:
        narrow.add(*row)
    title, *lines = narrow.lines(screen.width)
    screen.line(title)
    for line, tracer in zip(lines, tracers, strict=True):
        screen.line(line)
        why = _why(tracer)
        if why and why not in OBVIOUS:
            for piece in screen.wrapped(why, 4):
                screen.line(Text(f"    {piece}", "dim" if tracer["state"] in ("running", "stopped") else ""))


def _row(tracer: Mapping[str, Any], now: float) -> list[Text | str]:
    lease = tracer.get("lease_until")
    cpu = float(tracer["cpu_seconds"])
    memory = float(tracer["memory_bytes"])
    return [
        Text(clean(tracer["tracer"]), style="bold"),
        Text(tracer["state"], style=STYLES.get(tracer["state"], "")),
        f"{ago(now - float(tracer['since']))} ago",
        count(tracer["series"]) if tracer["series"] else "",
        span(cpu) if cpu else "",
        size(memory) if memory else "",
        f"{ago(lease - now)} left" if lease is not None else "",
    ]


def _why(tracer: Mapping[str, Any]) -> str:
    return clean(str(tracer.get("why", "")))
