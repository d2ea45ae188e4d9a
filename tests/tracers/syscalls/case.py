"""A little work of system calls, and what the tracer must show of it under every kernel (tests/kernels)."""

import os
import time
from pathlib import Path

PARAMETERS = {"calls": ["fsync", "pread64", "openat", "clock_nanosleep", "wait4", "clone", "execve"]}
PLACE = Path(f"/dev/shm/scalpels-case-{os.getpid()}")


def work() -> None:
    file = os.open(PLACE, os.O_RDWR | os.O_CREAT, 0o600)
    PLACE.unlink()
    for _ in range(10):
        os.fsync(file)
    for _ in range(100):
        os.pread(file, 1, 0)
    os.close(file)
    for _ in range(5):
        try:
            os.open(PLACE, os.O_RDONLY)
        except FileNotFoundError:
            continue
    for _ in range(4):
        time.sleep(0.005)
    for _ in range(3):
        child = os.fork()
        if not child:
            os.execv("/bin/true", ["true"])
        os.waitpid(child, 0)


COUNTS = {
    'scalpels_syscalls_seconds_count{syscall="fsync"}': 10,
    'scalpels_syscalls_seconds_count{syscall="pread64"}': 100,
    'scalpels_syscalls_seconds_count{syscall="openat"}': 6,
    'scalpels_syscalls_seconds_count{syscall="clock_nanosleep"}': 4,
    'scalpels_syscalls_seconds_count{syscall="wait4"}': 3,
    'scalpels_syscalls_seconds_count{syscall="clone"}': 3,
    'scalpels_syscalls_seconds_count{syscall="execve"}': 3,
    'scalpels_syscalls_errors_total{errno="ENOENT",syscall="openat"}': 5,
    # None slept for less than it asked for.
    'scalpels_syscalls_seconds_bucket{syscall="clock_nanosleep",le="0.00390625"}': 0,
    'scalpels_syscalls_seconds_bucket{syscall="clock_nanosleep",le="+Inf"}': 4,
}
