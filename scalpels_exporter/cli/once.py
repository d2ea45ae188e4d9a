"""`scalpels once NAME`: runs one tracer here without an agent, and prints what it would export, or draws it.

What the worker logs, and what of its output is refused and why, goes to stderr: this is how a pattern is debugged.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from difflib import get_close_matches

from scalpels_exporter.cli import hints, watch
from scalpels_exporter.cli.alone import Alone
from scalpels_exporter.cli.durations import duration
from scalpels_exporter.cli.exits import FAILED, OK, UNSUPPORTED, USAGE, Problem
from scalpels_exporter.cli.files import add_config_argument
from scalpels_exporter.cli.human import size, span
from scalpels_exporter.cli.main import LEVELS
from scalpels_exporter.cli.remarks import Remarks
from scalpels_exporter.config.load import load
from scalpels_exporter.config.settings import Chosen, Settings
from scalpels_exporter.declare import Command
from scalpels_exporter.exposition.negotiate import OPENMETRICS, TEXT
from scalpels_exporter.exposition.render import Renderer

EXAMPLE = "sudo scalpels once system --for 5s --top 20"

FORMATS = {"text": TEXT, "openmetrics": OPENMETRICS}
QUIET_SECONDS = 0.3  # without a new state of a worker that prints when it likes: what belongs together has come
SETTLE_SECONDS = 2.0  # no longer, though, for one that never rests


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of the tracer; scalpels list --offline has them")
    add_config_argument(parser)
    parser.add_argument("--for", dest="seconds", type=duration, metavar="DURATION", help="watch so long, then draw: 5s")
    parser.add_argument("--top", type=_rows, default=10, metavar="N", help="with --for: series of each metric (10)")
    parser.add_argument("--format", choices=FORMATS, help="without --for: of what is printed (text)")
    parser.add_argument("--wait", type=duration, default=30.0, metavar="DURATION", help="for a first snapshot (30s)")
    parser.add_argument("--log.level", dest="log_level", choices=LEVELS, default="info", help="of the worker's log")


def run(args: Namespace) -> int:
    if args.seconds and args.format:
        raise Problem("--format goes without --for, which draws", USAGE)
    settings = load(args.config)
    chosen = _chosen(settings, args.name)
    remarks = Remarks(args.log_level)
    with Alone(chosen, settings, args.config, remarks.say) as alone:
        if args.seconds:
            watched = watch.watch(alone, args.seconds, args.wait)
        else:
            _await_one(alone, args.wait)
    remarks.finish(alone.intake.rejected)
    remarks.hint([*alone.looks.found, *hints.of_refusals(alone.tracer, alone.intake.rejected)])
    if alone.snapshot is None:
        raise _nothing(alone, args.wait)
    if args.seconds:
        watch.show(watched, args.top)
    else:
        _print(alone, FORMATS[args.format or "text"])
    return _status(alone)


def _chosen(settings: Settings, name: str) -> Chosen:
    chosen = settings.tracers.get(name)
    if chosen is None:
        near = get_close_matches(name, settings.tracers, 1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(settings.tracers))}"
        raise Problem(f"no tracer is called {name[:64]!r}; {hint}", USAGE)
    return chosen


def _rows(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text[:9]) > 0):
        raise ArgumentTypeError("expected a number from 1")
    return int(text[:9])


def _await_one(alone: Alone, seconds: float) -> None:
    alone.tick()
    alone.wait(lambda: alone.snapshot or alone.over or alone.refused_all, seconds)
    if alone.snapshot is None or alone.ticked:
        return
    seen = -1
    for _ in range(round(SETTLE_SECONDS / QUIET_SECONDS)):
        if alone.over or seen == alone.snapshots:
            break
        seen = alone.snapshots
        alone.wait(lambda: alone.over, QUIET_SECONDS)


def _print(alone: Alone, form: str) -> None:
    assert alone.snapshot is not None
    for piece in Renderer().render([alone.snapshot], b"", form):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def _nothing(alone: Alone, seconds: float) -> Problem:
    """Why there is not one good snapshot."""
    if alone.exit == UNSUPPORTED:
        return Problem(
            f"unsupported: {alone.last_words or 'the worker says that this host cannot run it'}", UNSUPPORTED
        )
    if alone.intake.rejected:
        return Problem("nothing of what the worker printed could be taken; what was refused, and why, stands above")
    if alone.exit is not None and not alone.told_to_end:
        host, why = alone.tracer.host, f": {alone.last_words}" if alone.last_words else ""
        who = f"the worker of {host}, in which {alone.tracer.name} lives," if host else "the worker"
        return Problem(f"{who} {_how(alone.exit)} before it had printed a snapshot{why}")
    if alone.bytes:
        hint = hints.of_no_end(alone.tracer)
        return Problem(f"{size(alone.bytes)} came in {span(seconds)}, but no snapshot was finished{hint}")
    verb = "did not answer" if alone.ticked else "printed nothing"
    return Problem(f"the worker {verb} within {span(seconds)}{hints.of_silence(alone.tracer)}")


def _status(alone: Alone) -> int:
    """After a good snapshot; says how the worker ended when it did so by itself."""
    if alone.exit is None or alone.told_to_end:
        return OK
    print(f"the worker {_how(alone.exit)}", file=sys.stderr)
    if alone.exit == 0 and not alone.ticked:
        print("an agent would start it again and again; `mode: rerun` runs it once for each scrape", file=sys.stderr)
    if alone.exit > 0 and isinstance(alone.tracer.runs, Command) and alone.tracer.runs.mode == "rerun":
        print(hints.OF_STATUS, file=sys.stderr)
    return OK if alone.exit == 0 else FAILED


def _how(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit status {code}"
