"""Reads files that only the privileged side may read, in a short-lived child of the spawner, into memory files.

So the spawner itself never parses a user's file, and what it forks later knows only what was good. The result is
pickled by this process and read by ones with the same or fewer privileges.
"""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable
from pathlib import Path

from scalpels_exporter.config.load import load
from scalpels_exporter.config.settings import Mistakes
from scalpels_exporter.spawn import privileges
from scalpels_exporter.web.webfiles import read as read_web

GOOD, MISTAKEN, BROKEN = 0, 2, 1
SECONDS = 20  # a file that is a pipe, or lies on a host that does not answer, ends the reading, not all later ones


def fork(path: Path | None, result: int, *, web: bool) -> int:
    """Starts the reader of the configuration (or of the web configuration); its answer goes into `result`.

    Returns its pid. Exit status: GOOD (pickled Settings or WebFiles), MISTAKEN (pickled list of Mistake)
    or BROKEN (a line of text); the signal SIGALRM when it took longer than SECONDS.
    """
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = BROKEN
    try:
        privileges.die_with_parent(parent)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(SECONDS)
        status = _read(path, result, _read_web if web else load)
    except BaseException as error:
        os.write(result, f"{type(error).__name__}: {error}".encode(errors="replace"))
    finally:
        os._exit(status)


def _read_web(path: Path | None) -> object:
    return read_web(str(path))


def _read(path: Path | None, result: int, reading: Callable[[Path | None], object]) -> int:
    status = GOOD
    found: object
    try:
        found = reading(path)
    except Mistakes as mistakes:
        found, status = mistakes.found, MISTAKEN
    with os.fdopen(os.dup(result), "wb") as file:
        pickle.dump(found, file)
    return status
