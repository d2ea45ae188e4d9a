"""After a start or a stop: waits, within bounds, until the tracer is where it was sent, and says where it is."""

from __future__ import annotations

import time
from argparse import ArgumentParser, BooleanOptionalAction
from collections.abc import Sequence

from rich.text import Text

from scalpels_exporter.cli.client import Client, Told
from scalpels_exporter.cli.exits import FAILED, OK, UNSUPPORTED
from scalpels_exporter.cli.human import span
from scalpels_exporter.cli.list import STYLES
from scalpels_exporter.cli.screen import Screen

WAIT_SECONDS = 35.0  # a worker has 30 s for its first snapshot
LOOK_SECONDS = 0.2  # between two looks

STATUSES = {"running": OK, "stopped": OK, "unsupported": UNSUPPORTED}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--reason", default="", metavar="TEXT", help="for the audit log and for `list`")
    parser.add_argument(
        "--wait",
        action=BooleanOptionalAction,
        default=True,
        help=f"wait until it has happened, at most {WAIT_SECONDS:.0f} s (the default)",
    )


def told(agent: Client, name: str, said: str, ends: Sequence[str], wait: bool) -> int:
    """Prints what has become of the tracer; the exit status."""
    screen = Screen()
    if not wait:
        screen.line(said)
        return OK
    tracer = _awaited(agent, name, ends)
    line = Text(f"{name}: ").append(tracer.state, STYLES.get(tracer.state, ""))
    if tracer.state not in ends:
        line.append(f", still, after {span(WAIT_SECONDS)}")
    if tracer.series:
        line.append(f" · {tracer.series} series")
    if tracer.why:
        line.append(f" · {tracer.why}")
    screen.line(line, whole=True)
    return STATUSES.get(tracer.state, FAILED) if tracer.state in ends else FAILED


def _awaited(agent: Client, name: str, ends: Sequence[str]) -> Told:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        tracer = agent.tracer(name)
        if tracer.state in ends or time.monotonic() >= deadline:
            return tracer
        time.sleep(LOOK_SECONDS)
