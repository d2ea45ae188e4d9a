"""Runs a tracer that is a Python generator: a tick in, a snapshot out, until stdin is closed.

In a process of its own, with the privileges that `spawn.child` left it. Knows nothing of other tracers.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from types import ModuleType

from scalpels_exporter.catalog import load_module
from scalpels_exporter.config.settings import Chosen
from scalpels_exporter.declare import Context, Generator, Snapshots, Unsupported
from scalpels_exporter.programs.naming import Naming
from scalpels_exporter.programs.rules import Rule
from scalpels_exporter.worker.preflight import UNSUPPORTED, say, say_what_is_missing
from scalpels_exporter.worker.samples import encode, write

FAILED = 1


def load(stem: str) -> ModuleType:
    """The stem's module. Raises what the stem raises."""
    return load_module(stem)


def run(chosen: Chosen, rules: Sequence[Rule], module: ModuleType) -> int:
    """The exit status of the worker."""
    if say_what_is_missing(chosen):
        return UNSUPPORTED
    naming = Naming(rules)
    context = Context(chosen.parameters, naming.program, program_of=naming.program_of)
    assert isinstance(chosen.tracer.runs, Generator)
    try:
        snapshots: Snapshots = getattr(module, chosen.tracer.runs.function)(context)
        for _ in ticks(0):
            write(1, encode(next(snapshots)))
    except Unsupported as reason:
        say("E!", str(reason))
        return UNSUPPORTED
    except StopIteration:
        say("E!", f"{chosen.tracer.runs.function} ended; it is expected to yield for ever")
        return FAILED
    except BrokenPipeError:
        return 0  # the agent is gone
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        say("E!", f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})")
        for line in traceback.format_exc().splitlines():
            say("D!", line)
        return FAILED
    return 0


def ticks(descriptor: int) -> Iterator[None]:
    """One for each newline that arrives, until the other side closes."""
    while chunk := os.read(descriptor, 64):
        for _ in range(chunk.count(b"\n")):
            yield
    sys.stdout.flush()
