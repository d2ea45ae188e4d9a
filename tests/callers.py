"""A process that makes known system calls under a program's name, and what an agent shows of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import TracebackType

from running import RunningAgent, wait_until

WORKLOAD = Path(__file__).parent / "tracers" / "syscalls" / "workload.py"
Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def series_of(agent: RunningAgent, prefix: str) -> Series:
    """The samples whose names begin with `prefix`."""
    return {key: value for key, value in agent.samples().items() if key[0].startswith(prefix)}


class Caller:
    """Is given its jobs once the agent knows its name; `unnamed` is one that no rule names."""

    # strace's own command line has the mark too: it must not count.
    RULES = (
        "programs:\n"
        "  - {name: caller, cmdline: '^[^ ]*python[^ ]* .*mark-of-the-caller'}\n"
        "  - {name: bystander, cmdline: '^[^ ]*python[^ ]* .*mark-of-the-bystander'}\n"
    )

    def __init__(self, agent: RunningAgent, name: str) -> None:
        command = [sys.executable, "-S", str(WORKLOAD), f"mark-of-the-{name}"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self._process.pid
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
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
