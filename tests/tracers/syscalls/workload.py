"""Makes exactly as many system calls as it is told. Started by tests with a mark in its command line.

Each line on stdin is a job, `name argument …`; each answer on stdout is a line, after the job is done. A job may also
stand in the command line after the mark: it is done before anything else.
What it does for its own sake (pipes, threads, memory) is nothing that the tests count.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable

from fork_as import fork_as

LIBC = ctypes.CDLL(None, use_errno=True)
CHILDREN, WRITES, THREADS, FSYNCS, PREADS, FAILURES = 200, 7, 8, 1000, 5000, 300
READ_BYTES, WRITTEN_BYTES = 64, 9
PR_SET_TIMERSLACK = 29


def say(line: str) -> None:
    """In one write, which print() does not promise."""
    os.write(1, f"{line}\n".encode())


def mix(path: str) -> str:
    """1,000 fsyncs and 5,000 preads from 8 threads, 200 children with 7 writes each, 300 opens that fail."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.truncate(path, 4096)

    def part() -> None:
        for _ in range(FSYNCS // THREADS):
            os.fsync(file)
        for _ in range(PREADS // THREADS):
            os.pread(file, READ_BYTES, 0)

    threads = [threading.Thread(target=part) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in range(CHILDREN):
        child = os.fork()
        if not child:
            for _ in range(WRITES):
                os.write(file, b"x" * WRITTEN_BYTES)
            time.sleep(0.01)
            os._exit(0)
        os.waitpid(child, 0)
    for _ in range(FAILURES):
        try:
            os.open(f"{path}-is-not-there", os.O_RDONLY)
        except FileNotFoundError:
            continue
    os.close(file)
    return "done"


def fsyncs(count: str, path: str) -> str:
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(int(count)):
        os.fsync(file)
    os.close(file)
    return "done"


def child_as(pid: str, *job: str) -> str:
    """A job done by a child with that number, which is forked and does not exec."""
    child = fork_as(int(pid))
    if not child:
        JOBS[job[0]](*job[1:])
        os._exit(0)
    os.waitpid(child, 0)
    return "done"


def number() -> str:
    """Its process number, as it sees it."""
    return str(os.getpid())


def turn_into(name: str, thread: str, *job: str) -> str:
    """Execs itself with another mark, in its first thread or in another one. What answers is the new program."""
    command = [sys.executable, "-S", __file__, f"mark-of-the-{name}", *job]
    if thread == "main":
        os.execv(command[0], command)
    threading.Thread(target=os.execv, args=(command[0], command)).start()
    threading.Event().wait()
    return ""


def polls(*milliseconds: str) -> str:
    """Polls a pipe that nobody writes to. What each took, in nanoseconds."""
    reader, writer = os.pipe()
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    took = []
    for word in milliseconds:
        begin = time.perf_counter_ns()
        poll.poll(int(word))
        took.append(time.perf_counter_ns() - begin)
    os.close(reader)
    os.close(writer)
    return " ".join(map(str, took))


def slow(folder: str, kind: str, *microseconds: str) -> str:
    """Calls of one kind in tests/tracers/fs/slow_files.py, or sleeps. What each took, in nanoseconds."""
    LIBC.prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)
    took = []
    for word in microseconds:
        delay = int(word)
        file = os.open(f"{folder}/{word}", os.O_RDWR)
        begin = time.perf_counter_ns()
        if kind == "read":
            os.pread(file, 1, delay)
        elif kind == "write":
            os.pwrite(file, b"x", delay)
        elif kind == "fsync":
            os.fsync(file)
        else:
            time.sleep(delay / 1e6)
        took.append(time.perf_counter_ns() - begin)
        os.close(file)
    return " ".join(map(str, took))


def interrupted(count: str) -> str:
    """A wait for a child and a wait for events, each broken off by a signal so many times."""
    signal.signal(signal.SIGALRM, lambda *_: None)
    for _ in range(int(count)):
        LIBC.alarm(0)
        child = os.fork()
        if not child:
            signal.pause()
            os._exit(0)
        signal.siginterrupt(signal.SIGALRM, True)
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        assert LIBC.wait4(child, None, 0, None) == -1
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        events = select.epoll()
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        assert LIBC.epoll_wait(events.fileno(), ctypes.create_string_buffer(12), 1, 3_600_000) == -1
        events.close()
    return "done"


def forever() -> str:
    """Never comes back."""
    say("waiting")
    select.epoll().poll(3600)
    return ""


def become(*_: str) -> str:
    """A child that is exec'ed."""
    child = os.fork()
    if not child:
        os.execv("/bin/true", ["true"])
    os.waitpid(child, 0)
    return "done"


JOBS: dict[str, Callable[..., str]] = {
    "mix": mix,
    "fsyncs": fsyncs,
    "child_as": child_as,
    "number": number,
    "turn_into": turn_into,
    "polls": polls,
    "slow": slow,
    "interrupted": interrupted,
    "forever": forever,
    "become": become,
}

if __name__ == "__main__":
    if sys.argv[2:]:
        JOBS[sys.argv[2]](*sys.argv[3:])
    say("ready")
    for line in sys.stdin:
        name, *words = line.split()
        say(JOBS[name](*words))
