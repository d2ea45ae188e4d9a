"""A tree of processes that burn time, touch memory and write files on command: the workload of known answer.

Reads one JSON command a line from stdin, answers one JSON line when it is carried out. Adopts orphans.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
import threading
import time
from typing import Any

held: list[int] = []  # write ends: closing one lets a held child go on and end


def burn(ms: float) -> None:
    until = time.process_time() + ms / 1000
    while time.process_time() < until:
        bytearray(200_000)  # page faults
        sum(range(500))


def spawn(ms: float, then: Any = None) -> int:
    """A child that burns, does `then` and burns as much again."""
    pid = os.fork()
    if pid == 0:
        burn(ms)
        if then is not None:
            then()
            burn(ms)
        os._exit(0)
    return pid


def short(n: int, ms: float) -> None:
    for pid in [spawn(ms) for _ in range(n)]:
        os.waitpid(pid, 0)


def hold(n: int, ms: float, grandchildren: int = 0) -> None:
    """Children that burn, wait for `release`, burn and end; each with as many children of its own, ended before it."""
    for _ in range(n):
        ready_r, ready_w = os.pipe()
        go_r, go_w = os.pipe()

        def wait(ready: int = ready_w, go: int = go_r, mine: int = go_w) -> None:
            for end in (*held, mine):
                os.close(end)
            if grandchildren:
                short(grandchildren, ms)
            os.write(ready, b"x")
            os.read(go, 1)

        spawn(ms, wait)
        os.close(ready_w)
        os.close(go_r)
        os.read(ready_r, 1)
        os.close(ready_r)
        held.append(go_w)


def orphan(ms: float) -> None:
    """A held grandchild whose parent ends, so that it becomes our child."""
    ready_r, ready_w = os.pipe()
    go_r, go_w = os.pipe()

    def wait() -> None:
        for end in (*held, go_w):
            os.close(end)
        os.write(ready_w, b"x")
        os.read(go_r, 1)

    pid = spawn(ms, lambda: spawn(ms, wait))
    os.waitpid(pid, 0)
    os.close(ready_w)
    os.close(go_r)
    os.read(ready_r, 1)
    os.close(ready_r)
    held.append(go_w)


def release(keep: int = 0) -> None:
    """Lets held children end, and waits for them (for all children when none is kept)."""
    gone = len(held) - keep
    while len(held) > keep:
        os.close(held.pop(0))
    if keep:
        for _ in range(gone):
            os.waitpid(-1, 0)
        return
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        pass


def write(path: str, size: int) -> None:
    """A child writes and syncs a file, and ends."""
    pid = os.fork()
    if pid == 0:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(descriptor, os.urandom(size))
        os.fsync(descriptor)
        os._exit(0)
    os.waitpid(pid, 0)


def hold_writer(path: str, size: int) -> None:
    """A child writes and syncs a file, and is held."""
    ready_r, ready_w = os.pipe()
    go_r, go_w = os.pipe()
    if os.fork() == 0:
        for end in (*held, go_w):
            os.close(end)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(descriptor, os.urandom(size))
        os.fsync(descriptor)
        os.write(ready_w, b"x")
        os.read(go_r, 1)
        os._exit(0)
    os.close(ready_w)
    os.close(go_r)
    os.read(ready_r, 1)
    os.close(ready_r)
    held.append(go_w)


def storm(seconds: float) -> None:
    """Children, grandchildren and orphans come and go, most shorter than a tick."""
    until = time.monotonic() + seconds
    n = 0
    while time.monotonic() < until:
        n += 1
        pids = [spawn(n % 7, lambda n=n: short(n % 3, n % 5)) for _ in range(n % 4 + 1)]
        if n % 5 == 0:
            spawn(0, lambda: spawn(3))
        for pid in pids:
            os.waitpid(pid, 0)
    release()


def threads(n: int, naps: int) -> None:
    """Threads that stay, each after so many naps."""
    done = [threading.Event() for _ in range(n)]

    def run(mine: threading.Event) -> None:
        for _ in range(naps):
            time.sleep(0.0005)
        mine.set()
        threading.Event().wait()

    for event in done:
        threading.Thread(target=run, args=(event,), daemon=True).start()
    for event in done:
        event.wait()


def ignore() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def execute() -> None:
    os.execv(sys.executable, [sys.executable, __file__, "another"])


def usage() -> dict[str, float]:
    own, dead = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"user": own.ru_utime + dead.ru_utime, "system": own.ru_stime + dead.ru_stime}


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    for line in sys.stdin:
        name, arguments = json.loads(line)
        print(json.dumps(globals()[name](**arguments)), flush=True)
    os._exit(0)
