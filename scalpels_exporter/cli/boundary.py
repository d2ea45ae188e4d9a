"""The one place where an error becomes a line on stderr and an exit status. No traceback passes, unless asked for."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from scalpels_exporter.cli.exits import FAILED, INTERRUPTED, OK, USAGE, Problem


def guarded(program: str, run: Callable[[], int], *, debug: bool = False) -> int:
    """The exit status of `run`; `program` begins each line that is said about an error."""
    try:
        status = run()
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        return _silent()
    except Problem as problem:
        _say(program, str(problem))
        return problem.status
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        return _of_others(program, error, debug)


def _of_others(program: str, error: Exception, debug: bool) -> int:
    # Only here, because a good run without a configuration needs none of it.
    from scalpels_exporter.config.settings import Mistakes

    if isinstance(error, Mistakes):
        _say("", str(error))
        return USAGE
    if debug:
        traceback.print_exception(error)
        return FAILED
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("scalpels_exporter"):
        what = f"the Python package {error.name} is not installed in {sys.prefix}"
        _say(program, f"{what}; pip install scalpels-exporter there brings it")
        return FAILED
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        _say(program, f"{where}{error.strerror}")
        return FAILED
    place = traceback.extract_tb(error.__traceback__)[-1]
    _say(
        program,
        f"internal error: {type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno}); "
        "with --log.level debug it shows where",
    )
    return FAILED


def _say(program: str, text: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        for line in text.splitlines() or [""]:
            print(f"{program}: {line}" if program else line, file=sys.stderr, flush=True)


def _silent() -> int:
    """The reader of our output has gone (`| head`). The interpreter must find nothing left to flush there."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return OK
