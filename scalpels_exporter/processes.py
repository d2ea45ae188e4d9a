"""Who is whose child, from /proc, readable by anyone. Ends nobody."""

from __future__ import annotations

import os
from pathlib import Path


def children(pid: int | None = None, proc: str = "/proc") -> list[int]:
    """The child processes of `pid`'s main thread (default: of this process); [] when it is gone."""
    number = os.getpid() if pid is None else pid
    try:
        return [int(word) for word in Path(f"{proc}/{number}/task/{number}/children").read_text().split()]
    except OSError:
        return []
