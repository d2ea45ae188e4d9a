"""What a worker and everything it started costs: CPU seconds and resident bytes, from /proc, readable by anyone."""

from __future__ import annotations

import os
from dataclasses import dataclass

from scalpels_exporter.processes import children

_TICK = float(os.sysconf("SC_CLK_TCK"))
_PAGE = os.sysconf("SC_PAGE_SIZE")
MOST_PROCESSES = 64  # of one worker's family that are looked at


@dataclass(frozen=True, slots=True)
class Usage:
    cpu_seconds: float = 0.0  # of the living, and of their children that have ended and were waited for
    memory_bytes: int = 0
    processes: int = 0


def usage(pid: int, proc: str = "/proc") -> Usage:
    """Of `pid` and its descendants; zeros when it is gone."""
    cpu, memory, seen = 0.0, 0, 0
    queue = [pid]
    while queue and seen < MOST_PROCESSES:
        one = queue.pop()
        try:
            with open(f"{proc}/{one}/stat", "rb") as file:  # noqa: PTH123 - at every scrape
                words = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        seen += 1
        cpu += sum(map(int, words[11:15])) / _TICK  # utime stime cutime cstime
        memory += int(words[21]) * _PAGE
        queue += children(one, proc)
    return Usage(cpu, memory, seen)
