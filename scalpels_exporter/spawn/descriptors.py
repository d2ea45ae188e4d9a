"""The open files that a process begins with: the standard ones there, inherited ones gone, room for those to come.

Whoever started the agent may have closed its stdin or left files of root's open: neither may reach the process that
faces the network, nor a worker.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

FIRST_OWN = 3
WANTED = 8192  # three for each worker's pipes, one for each connection, and room


def settle() -> None:
    """Call before anything is opened. A standard file that was closed becomes /dev/null; what lies above is closed."""
    for standard in range(FIRST_OWN):
        try:
            os.fstat(standard)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            os.set_inheritable(standard, True)
    # Python gave no stream to what was closed; ours, and those of workers that are forked, print on them.
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    for inherited in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        if inherited >= FIRST_OWN:
            os.closerange(inherited, inherited + 1)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
