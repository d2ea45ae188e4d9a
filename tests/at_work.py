"""A process that does a piece of work for each line that it is given, and says when it has."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CASE = Path(__file__).parent / "kernels" / "inside" / "work.py"  # with a case's path: does that case's work


@contextmanager
def at_work(*command: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A script and its arguments, before it works. The process is gone after the context, and its children are."""
    with subprocess.Popen(
        [sys.executable, "-S", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process


def do(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"
