"""Tracers that live in another one's worker, driven through the real agent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from running import QUIET, RunningAgent

pytestmark = pytest.mark.root

# Reads a line, calls getppid so often, and says so.
CALLING = """
import os, sys
print("ready", flush=True)
for line in sys.stdin:
    for _ in range(int(line)):
        os.getppid()
    print(line.strip(), flush=True)
"""


@pytest.fixture(autouse=True)
def _tools(bcc: None) -> None:
    return None


class Caller:
    """A process that the rules call `caller`; it calls getppid when it is told to, and else never."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout
        assert self._out.readline() == "ready\n"

    def call(self, times: int) -> None:
        print(times, file=self._in, flush=True)
        assert self._out.readline() == f"{times}\n"


@pytest.fixture
def caller() -> Iterator[Caller]:
    command = [sys.executable, "-c", CALLING, "mark-of-the-caller"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Caller(process)


def settings(folder: Path, tracers: str = "  first: {}\n  second: {}\n") -> str:
    rules = "programs:\n  - {name: caller, cmdline: mark-of-the-caller}\n"
    return f"tracer_folders: [{folder}]\n{rules}{QUIET}{tracers}"


def calls(agent: RunningAgent, tracer: str) -> float:
    return agent.value(f"scalpels_{tracer}_calls_total", program="caller") or 0


def state(agent: RunningAgent, tracer: str) -> str:
    found: str = agent.tracer(tracer)["state"]
    return found


@pytest.fixture
def running(
    start_agent: Callable[..., RunningAgent], tracer_folder: Path, caller: Caller, until: Callable[..., object]
) -> RunningAgent:
    agent = start_agent(settings(tracer_folder))
    until(lambda: [state(agent, name) for name in ("first", "second")] == ["running"] * 2, 30, "both run")
    until(lambda: agent.value("scalpels_programs_processes", program="caller") == 1, 10, "the caller has its name")
    return agent


def test_each_counts_exactly_what_came_while_it_was_on(
    running: RunningAgent, caller: Caller, until: Callable[..., object]
) -> None:
    caller.call(100)
    assert [calls(running, name) for name in ("relay", "first", "second")] == [100, 100, 100]
    host = running.tracer("relay")
    assert (host["state"], host["why"]) == ("running", "needed by first, second")
    assert running.tracer("first")["pid"] is None

    running.post("/api/v1/tracers/first/stop", {})
    until(lambda: state(running, "first") == "stopped", 10, "it is off")
    caller.call(20)
    assert [calls(running, name) for name in ("relay", "second")] == [120, 120]
    running.post("/api/v1/tracers/first/start", {})
    until(lambda: state(running, "first") == "running", 10, "it is on again")
    caller.call(3)
    assert [calls(running, name) for name in ("relay", "first", "second")] == [123, 103, 123]
    assert running.tracer("relay")["pid"] == host["pid"]
    assert [running.tracer(name)["starts"] for name in ("relay", "second")] == [1, 1]


def test_a_host_that_is_killed_comes_back_with_all_who_lived_in_it(
    running: RunningAgent, caller: Caller, until: Callable[..., object]
) -> None:
    caller.call(7)
    os.kill(running.tracer("relay")["pid"], signal.SIGKILL)
    until(lambda: running.tracer("first")["why"].startswith("waits for relay"), 5, "they wait for it")
    until(lambda: [state(running, name) for name in ("first", "second")] == ["running"] * 2, 30, "both run again")
    caller.call(5)
    assert [calls(running, name) for name in ("relay", "first", "second")] == [5, 5, 5]
    assert running.value("scalpels_worker_exits_total", tracer="first", reason="host") == 1
    assert running.value("scalpels_worker_exits_total", tracer="relay", reason="signal") == 1
