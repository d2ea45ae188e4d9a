"""`scalpels list`: every tracer of the running agent, or, without one, what the configuration says of each."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from rich.text import Text

from scalpels_exporter.cli import client
from scalpels_exporter.cli.exits import OK
from scalpels_exporter.cli.files import add_config_argument
from scalpels_exporter.cli.human import ago, brief, count, size
from scalpels_exporter.cli.screen import Screen
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
COLUMNS = (
    Column("TRACER", elastic=True),
    Column("STATE"),
    Column("SINCE", right=True),
    Column("SERIES", right=True),
    Column("REFUSED", right=True),
    Column("CPU", right=True),
    Column("MEMORY", right=True),
    Column("LEASE", right=True),
)
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
    show_tracers(listing, Screen())
    return OK


def show_tracers(listing: client.Listing, screen: Screen) -> None:
    """One line for each; in a narrow terminal the reason stands beneath, where it says more than the state does."""
    rows = [_row(told, listing.now) for told in listing.tracers]
    one_line = Table([*COLUMNS, Column("WHY", elastic=True)])
    for row, told in zip(rows, listing.tracers, strict=True):
        one_line.add(*row, told.why)
    if screen.width is None or one_line.natural_width <= screen.width:
        one_line.print_on(screen)
        return
    narrow = Table(COLUMNS)
    for row in rows:
        narrow.add(*row)
    title, *lines = narrow.lines(screen.width)
    screen.line(title)
    for line, told in zip(lines, listing.tracers, strict=True):
        screen.line(line)
        if told.why and told.why not in OBVIOUS:
            for piece in screen.wrapped(told.why, 4):
                screen.line(Text(f"    {piece}", "dim" if told.state in ("running", "stopped") else ""))


def _row(told: client.Told, now: float) -> list[Text | str]:
    since = now - told.since
    return [
        Text(told.name, "bold"),
        Text(told.state, STYLES.get(told.state, "")),
        f"{ago(since)} ago" if since >= 1 else "now",
        count(told.series) if told.series else "",
        count(told.refused) if told.refused else "",
        brief(told.cpu_seconds) if told.cpu_seconds else "",
        size(told.memory_bytes) if told.memory_bytes else "",
        ago(told.lease_until - now) if told.lease_until is not None else "",
    ]
