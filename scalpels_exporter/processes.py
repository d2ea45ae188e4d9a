"""Who is whose child, from /proc, readable by anyone; and the end of everything below this process."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path


def children(pid: int | None = None, proc: str = "/proc") -> list[int]:
    """The child processes of `pid`'s main thread (default: of this process); [] when it is gone."""
    number = os.getpid() if pid is None else pid
    try:
        return [int(word) for word in Path(f"{proc}/{number}/task/{number}/children").read_text().split()]
    except OSError:
        return []


def end_children() -> None:
    """SIGKILL to every child, and to the orphans that become children by it (of a subreaper), until none is left."""
    while living := children():
        for pid in living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)
