"""Whom calls are counted for when a process number is given again, differs inside, or an exec changes the program."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from callers import Caller, series_of
from running import RunningAgent, quiet_but

pytestmark = pytest.mark.root
IN_A_CONTAINER = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
BOTH = pytest.mark.parametrize("agent", ["on", "off"], indirect=True, ids=["btf", "no-btf"])
Start = Callable[..., RunningAgent]
Until = Callable[..., object]


@pytest.fixture
def agent(request: pytest.FixtureRequest, kernel_programs: None, start_agent: Start, until: Until) -> RunningAgent:
    """With the kernel's type information, or without where a test says BOTH."""
    btf = getattr(request, "param", "on")
    tracers = (
        f"{quiet_but('syscalls')}  programs: {{btf: {btf}}}\n  syscalls: {{calls: [fsync, write, clone, openat]}}\n"
    )
    agent = start_agent(f"{Caller.RULES}{tracers}")
    until(lambda: agent.value("scalpels_worker_up", tracer="syscalls") == 1, 30, "syscalls is up")
    return agent


def calls(agent: RunningAgent, call: str = "fsync") -> dict[str, float]:
    """Program → how often it made the call; those that the tests name, and every process that no rule names."""
    found = series_of(agent, "scalpels_syscalls_seconds_count")
    counts = {dict(labels)["program"]: n for (_, labels), n in found.items() if ("syscall", call) in labels}
    return {program: counts.get(program, 0) for program in ("caller", "bystander", "other")}


@BOTH
def test_a_number_that_is_given_again_is_named_anew_and_never_counted_for_the_old_program(
    agent: RunningAgent, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    expected = {"caller": 0, "bystander": 0, "other": 0}
    number = 0
    for _ in range(5):
        for name, fsyncs in (("caller", 11), ("bystander", 7), ("unnamed", 13)):
            with Caller(agent, name, born_as=number) as caller:  # the first one's number is then that of all
                number = caller.pid
                assert f"mark-of-the-{name}" in Path(f"/proc/{number}/cmdline").read_text()
                caller.do(f"fsyncs {fsyncs} {file}")
                if name != "unnamed":
                    expected[name] += fsyncs
                assert calls(agent) == expected


def test_a_child_that_is_given_a_number_again_is_its_parents_without_an_exec(
    agent: RunningAgent, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    with Caller(agent, "bystander") as bystander, Caller(agent, "unnamed") as unnamed:
        with Caller(agent, "caller") as caller:
            caller.do(f"fsyncs 11 {file}")
        assert calls(agent) == {"caller": 11, "bystander": 0, "other": 0}
        bystander.do(f"child_as {caller.pid} fsyncs 7 {file}")
        assert calls(agent) == {"caller": 11, "bystander": 7, "other": 0}
        unnamed.do(f"child_as {caller.pid} fsyncs 13 {file}")
        assert calls(agent) == {"caller": 11, "bystander": 7, "other": 0}


def test_processes_of_containers_are_counted_for_their_own_programs_with_their_children(
    agent: RunningAgent, tmp_path: Path
) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    with (
        Caller(agent, "caller", inside=IN_A_CONTAINER) as caller,
        Caller(agent, "bystander", inside=[*IN_A_CONTAINER, *IN_A_CONTAINER]) as bystander,
        Caller(agent, "unnamed") as unnamed,
    ):
        for one in (caller, bystander):
            assert one.do("number") == "1"
        before = {call: calls(agent, call) for call in ("fsync", "write", "clone", "openat")}
        caller.do(f"mix {tmp_path}/file")
        after = {call: calls(agent, call) for call in before}
        grown = {call: after[call]["caller"] - before[call]["caller"] for call in before}
        assert grown == {"fsync": 1000, "write": 200 * 7 + 1, "clone": 200, "openat": 301}
        for program in ("bystander", "other"):
            assert [after[call][program] for call in before] == [before[call][program] for call in before]
        # Inside, a child has the number that somebody else has outside.
        caller.do(f"child_as {unnamed.pid} fsyncs 5 {tmp_path}/file")
        bystander.do(f"child_as {unnamed.pid} fsyncs 3 {tmp_path}/file")
        unnamed.do(f"fsyncs 100 {tmp_path}/file")
        assert calls(agent) == {"caller": 1005, "bystander": 3, "other": 0}


@BOTH
@pytest.mark.parametrize("thread", ["main", "another"])
def test_an_exec_makes_another_program_of_a_process_whichever_thread_does_it(
    thread: str, agent: RunningAgent, tmp_path: Path, until: Until
) -> None:
    file = tmp_path / "file"
    with Caller(agent, "caller") as caller:
        caller.do(f"fsyncs 11 {file}")
        namer = agent.tracer("programs")["pid"]
        os.kill(namer, signal.SIGSTOP)
        try:
            assert caller.do(f"turn_into bystander {thread} fsyncs 50 {file}") == "ready"
            assert calls(agent) == {"caller": 11, "bystander": 0, "other": 0}  # nobody's until it is looked at
        finally:
            os.kill(namer, signal.SIGCONT)
        until(lambda: agent.value("scalpels_programs_processes", program="bystander") == 1, 10, "it has its new name")
        assert agent.value("scalpels_programs_processes", program="caller") == 0
        caller.do(f"fsyncs 9 {file}")
        assert calls(agent) == {"caller": 11, "bystander": 9, "other": 0}
        assert caller.do(f"turn_into unnamed {thread} fsyncs 20 {file}") == "ready"
        caller.do(f"fsyncs 20 {file}")
        assert calls(agent) == {"caller": 11, "bystander": 9, "other": 0}
