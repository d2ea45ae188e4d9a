"""A process that makes known system calls under a program's name, and what an agent shows of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from running import RunningAgent, wait_until

WORKLOAD = Path(__file__).parent / "tracers" / "syscalls" / "workload.py"
FORK_AS = WORKLOAD.with_name("fork_as.py")
STILL = 3  # scrapes that show no change
# Else a worker that is late, because the machine is busy, is shown as it was.
PATIENT = {"X-Prometheus-Scrape-Timeout-Seconds": "9"}
Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def series_of(agent: RunningAgent, prefix: str) -> Series:
    """The samples whose names begin with `prefix`."""
    return {key: value for key, value in agent.samples(**PATIENT).items() if key[0].startswith(prefix)}


def settled(agent: RunningAgent, prefix: str) -> Series:
    """As `series_of`, once it stands still: a send is counted when it returns, which on a busy machine may be after its
    receiver has gone on."""
    seen: list[Series] = []

    def stands_still() -> bool:
        now = series_of(agent, prefix)
        seen.append({key: value for key, value in now.items() if ("program", "scalpels") not in key[1]})  # our scrapes
        return len(seen) > STILL and all(one == seen[-1] for one in seen[-STILL - 1 :])

    wait_until(stands_still, 20, f"{prefix} stands still")
    return seen[-1]


def lost(agent: RunningAgent) -> dict[str, float]:
    """Reason → events, of the tracers that lost any."""
    return {
        f"{dict(labels)['tracer']} {dict(labels)['reason']}": value
        for (name, labels), value in agent.samples().items()
        if name == "scalpels_tracer_lost_total" and value
    }


class Caller:
    """Is given its jobs once the agent knows its name; `unnamed` is one that no rule names."""

    # strace's own command line has the mark too: it must not count.
    RULES = (
        "programs:\n"
        "  - {name: caller, cmdline: '^[^ ]*python[^ ]* .*mark-of-the-caller'}\n"
        "  - {name: bystander, cmdline: '^[^ ]*python[^ ]* .*mark-of-the-bystander'}\n"
    )

    def __init__(self, agent: RunningAgent, name: str, *, inside: Sequence[str] = (), born_as: int = 0) -> None:
        """`inside` stands before the command, as unshare does; `born_as` is the process number that it shall have."""
        command = [*inside, sys.executable, "-S", str(WORKLOAD), f"mark-of-the-{name}"]
        environment = None
        if born_as:
            environment = {**os.environ, "COMMAND": json.dumps(command)}
            command = [sys.executable, "-S", str(FORK_AS), str(born_as)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.pid = born_as or self._process.pid
        assert self.hear() == "ready"
        if name != "unnamed":
            wait_until(lambda: agent.value("scalpels_programs_processes", program=name) == 1, 10, f"{name} is known")

    def do(self, job: str) -> str:
        self.say(job)
        return self.hear()

    def say(self, job: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(job + "\n")
        self._process.stdin.flush()

    def hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._process.wait()

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
