"""What the real agent shows of system calls, against what a workload did and what others saw of it."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path

import pytest
from callers import Caller, Series, series_of
from running import RunningAgent, quiet_but

from scalpels_exporter.config.load import load
from scalpels_exporter.config.settings import Mistakes

pytestmark = pytest.mark.root
CALLS = "fsync, pread64, write, openat, clone, wait4, poll, epoll_wait, execve, futex"
Start = Callable[..., RunningAgent]


@pytest.fixture
def agent(kernel_programs: None, start_agent: Start, until: Callable[..., object]) -> RunningAgent:
    agent = start_agent(f"{Caller.RULES}{quiet_but('syscalls')}  syscalls: {{calls: [{CALLS}]}}\n")
    until(lambda: agent.value("scalpels_worker_up", tracer="syscalls") == 1, 30, "syscalls is up")
    return agent


def calls(found: Series, program: str, call: str) -> float:
    return found.get(("scalpels_syscalls_seconds_count", (("program", program), ("syscall", call))), 0)


def errors(found: Series, program: str, call: str, errno: str) -> float:
    labels = (("errno", errno), ("program", program), ("syscall", call))
    return found.get(("scalpels_syscalls_errors_total", labels), 0)


def test_threads_short_lived_children_and_failures_are_counted_exactly(agent: RunningAgent, tmp_path: Path) -> None:
    with Caller(agent, "caller") as caller, Caller(agent, "bystander"), Caller(agent, "unnamed") as unnamed:
        before = series_of(agent, "scalpels_syscalls")
        unnamed.do(f"mix {tmp_path}/unnamed")
        caller.do(f"mix {tmp_path}/file")
        after = series_of(agent, "scalpels_syscalls")
    assert calls(after, "caller", "fsync") - calls(before, "caller", "fsync") == 1000
    assert calls(after, "caller", "pread64") - calls(before, "caller", "pread64") == 5000
    assert calls(after, "caller", "clone") - calls(before, "caller", "clone") == 200
    assert errors(after, "caller", "openat", "ENOENT") - errors(before, "caller", "openat", "ENOENT") == 300
    # The answer on stdout is a write too.
    assert calls(after, "caller", "write") - calls(before, "caller", "write") == 200 * 7 + 1
    assert of(after, "bystander") == of(before, "bystander")
    assert of(after, "other") == {}


def of(found: Series, program: str) -> Series:
    return {key: value for key, value in found.items() if ("program", program) in key[1]}


def test_counts_agree_with_strace(agent: RunningAgent, tmp_path: Path, until: Callable[..., object]) -> None:
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    output = tmp_path / "strace"
    with Caller(agent, "caller") as caller:
        command = ["strace", "-c", "-f", "-o", str(output), "-p", str(caller.pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
            assert strace.stderr is not None
            assert "attached" in strace.stderr.readline()
            before = series_of(agent, "scalpels_syscalls")
            caller.do(f"mix {tmp_path}/file")
            after = series_of(agent, "scalpels_syscalls")
            strace.send_signal(signal.SIGINT)
            strace.wait(20)
    seen = summary(output.read_text())
    for call in ("fsync", "pread64", "write", "openat", "wait4", "clone"):
        ours = calls(after, "caller", call) - calls(before, "caller", call)
        failed = sum(
            value - before.get(key, 0)
            for key, value in of(after, "caller").items()
            if key[0] == "scalpels_syscalls_errors_total" and ("syscall", call) in key[1]
        )
        assert (ours, failed) == seen[call], call


def summary(text: str) -> dict[str, tuple[int, int]]:
    """Call → calls, errors, from the table of strace -c."""
    row = re.compile(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(\d*) +(\w+)$", re.MULTILINE)
    return {name: (int(count), int(failed or 0)) for count, failed, name in row.findall(text)}


def test_quantiles_are_within_one_bucket_of_what_the_caller_measured(agent: RunningAgent) -> None:
    delays = [3] * 60 + [12] * 30 + [50] * 10
    with Caller(agent, "caller") as caller:
        took = sorted(int(word) / 1e9 for word in caller.do("polls " + " ".join(map(str, delays))).split())
        found = series_of(agent, "scalpels_syscalls_seconds_bucket")
    buckets = sorted(
        (float(dict(labels)["le"]), value)
        for (_, labels), value in found.items()
        if {("program", "caller"), ("syscall", "poll")} <= set(labels)
    )
    bounds = [bound for bound, _ in buckets]
    assert buckets[-1][1] == len(delays)
    for quantile in (0.1, 0.5, 0.8, 0.95, 0.99):
        rank = quantile * len(delays)
        ours = next(n for n, (_, count) in enumerate(buckets) if count >= rank)
        theirs = bisect_left(bounds, took[round(rank) - 1])
        assert abs(ours - theirs) <= 1, quantile


def test_a_call_broken_off_by_a_signal_is_an_error_of_its_own(agent: RunningAgent) -> None:
    with Caller(agent, "caller") as caller:
        caller.do("interrupted 5")
        found = series_of(agent, "scalpels_syscalls")
    assert errors(found, "caller", "wait4", "ERESTART") == 5
    assert calls(found, "caller", "wait4") == 10
    assert errors(found, "caller", "epoll_wait", "EINTR") == 5


def test_a_call_killed_in_flight_ends_broken_off_and_leaves_nothing(agent: RunningAgent) -> None:
    with Caller(agent, "caller") as caller:
        caller.say("forever")
        assert caller.hear() == "waiting"
        assert calls(series_of(agent, "scalpels_syscalls"), "caller", "epoll_wait") == 0
        caller.kill()
        found = series_of(agent, "scalpels_syscalls")
    # Killed before it waited, it is not there; in its wait, it was broken off like by any other signal.
    assert calls(found, "caller", "epoll_wait") == errors(found, "caller", "epoll_wait", "EINTR") <= 1


def test_an_exec_counts_for_the_program_that_did_it(agent: RunningAgent) -> None:
    with Caller(agent, "caller") as caller:
        caller.do("become")
        found = series_of(agent, "scalpels_syscalls")
    assert calls(found, "caller", "execve") == 1
    assert calls(found, "caller", "clone") == 1


def test_an_unknown_call_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    file = tmp_path / "scalpels.yaml"
    file.write_text("tracers:\n  syscalls: {calls: [fsnyc]}\n")
    with pytest.raises(Mistakes, match=r"fsnyc.*did you mean fsync") as refused:
        load(file)
    assert len(str(refused.value)) < 200
