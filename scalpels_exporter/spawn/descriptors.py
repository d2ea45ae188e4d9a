"""The open files that a process begins with: the standard ones there, inherited ones gone, room for those to come;
and the pipes that a worker gets.

Whoever started the agent may have closed its stdin or left files of root's open: neither may reach the process that
faces the network, nor a worker.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

FIRST_OWN = 3
WANTED = 8192  # three for each worker's pipes, one for each connection, and room
STDOUT_PIPE_BYTES = 1 << 20  # a large snapshot then takes few turns of the agent's loop

Three = tuple[int, int, int]  # stdin, stdout, stderr


@contextlib.contextmanager
def pipes() -> Iterator[tuple[Three, Three]]:
    """The worker's ends of its stdin, stdout and stderr, and the agent's; closed here once both have them."""
    opened: list[int] = []
    try:
        for _ in range(3):
            opened += os.pipe2(os.O_CLOEXEC)
        stdin_read, stdin_write, stdout_read, stdout_write, stderr_read, stderr_write = opened
        with contextlib.suppress(OSError):  # refused beyond the user's share of pipe memory: then it stays small
            fcntl.fcntl(stdout_write, fcntl.F_SETPIPE_SZ, STDOUT_PIPE_BYTES)
        yield (stdin_read, stdout_write, stderr_write), (stdin_write, stdout_read, stderr_read)
    finally:
        for descriptor in opened:
            os.close(descriptor)


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
