"""Lets one tracer run for a while, with a tick about every second, and shows what it saw. Ctrl-C ends it early."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from scalpels_exporter.cli import human
from scalpels_exporter.cli.alone import Alone
from scalpels_exporter.cli.drawing import draw
from scalpels_exporter.cli.screen import Screen
from scalpels_exporter.cli.seen import Span
from scalpels_exporter.supervise.usage import Usage, usage

TICK_SECONDS = 1.0
LAST_SECONDS = 2.0  # for the answer to the last tick


@dataclass(frozen=True, slots=True)
class Watched:
    span: Span
    usage: Usage  # of the worker, while it was watched
    seconds: float  # from its start


def watch(alone: Alone, seconds: float, first_seconds: float) -> Watched:
    """`seconds` from the first snapshot, which may take `first_seconds`; from the start for a worker without ticks."""
    span = Span(alone.tracer, alone.started)
    alone.on_snapshot = span.add
    try:
        alone.tick()
        begun = not alone.ticked or alone.wait(lambda: alone.snapshot or alone.over or alone.refused_all, first_seconds)
        if begun:
            _second_by_second(alone, span, seconds)
    except KeyboardInterrupt:
        pass
    finally:
        _progress("")
    if alone.ticked and alone.snapshot and not alone.over:
        answered = alone.intake.completed
        alone.tick()
        alone.wait(lambda: alone.over or alone.intake.completed > answered, LAST_SECONDS)
    return Watched(span, usage(alone.pid), time.time() - alone.started)


def show(watched: Watched, top: int) -> None:
    screen = Screen()
    draw(watched.span, screen, top)
    cost = watched.usage
    if cost.processes:
        share = 100 * cost.cpu_seconds / watched.seconds
        screen.line()
        spent = human.span(cost.cpu_seconds) if cost.cpu_seconds else "less than 10 ms"
        screen.line(
            f"worker: {spent} of CPU in {human.span(watched.seconds)} ({share:.1f} %), {human.size(cost.memory_bytes)}"
        )


def _second_by_second(alone: Alone, span: Span, seconds: float) -> None:
    begin = time.monotonic()
    end = begin + seconds
    while (left := end - time.monotonic()) > 0 and not alone.over:
        _progress(
            f"{human.ago(time.monotonic() - begin)} of {human.span(seconds)}, {span.count} snapshots; Ctrl-C ends"
        )
        answered = alone.intake.completed
        alone.wait(lambda: alone.over, min(TICK_SECONDS, left))
        if end - time.monotonic() > TICK_SECONDS / 4 and (alone.intake.completed > answered or span.count == 1):
            alone.tick()


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()
