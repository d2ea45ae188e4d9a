"""Who is whose child, from /proc, readable by anyone; and the end of everything below this process."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path


def children(pid: int | None = None, proc: str = "/proc") -> list[int]:
    """The child processes of every thread of `pid` (default: of this process), zombies too; [] when it is gone."""
    number = os.getpid() if pid is None else pid
    found: list[int] = []
    try:
        for thread in os.listdir(f"{proc}/{number}/task"):  # noqa: PTH208 - at every scrape
            with open(f"{proc}/{number}/task/{thread}/children", "rb") as file:  # noqa: PTH123
                found += map(int, file.read().split())
    except FileNotFoundError:  # it is gone, or the kernel has no such file
        return found or _children_by_parent(number, proc)
    except OSError:
        return found
    return found


def _children_by_parent(parent: int, proc: str) -> list[int]:
    """The same for a kernel without CONFIG_PROC_CHILDREN, at the price of a look at every process."""
    if not _is_there(parent, proc):
        return []
    return [int(name) for name in os.listdir(proc) if name.isdigit() and _parent(name, proc) == parent]  # noqa: PTH208


def _is_there(pid: int, proc: str) -> bool:
    return Path(proc, str(pid), "stat").exists()


def _parent(pid: str, proc: str) -> int:
    try:
        return int(Path(proc, pid, "stat").read_bytes().rpartition(b")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def end_children() -> None:
    """SIGKILL to every child, and to the orphans that become children by it (of a subreaper), until none is left."""
    while living := children():
        for pid in living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)
