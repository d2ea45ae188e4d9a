"""What the real agent shows of files, against what a workload did."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from callers import Caller, Series, series_of
from running import RunningAgent, quiet_but

pytestmark = pytest.mark.root


@pytest.fixture
def agent(
    kernel_programs: None, start_agent: Callable[..., RunningAgent], until: Callable[..., object]
) -> RunningAgent:
    agent = start_agent(f"{Caller.RULES}{quiet_but('fs')}  fs: {{}}\n")
    until(lambda: agent.value("scalpels_worker_up", tracer="fs") == 1, 30, "fs is up")
    return agent


def fstype(path: Path) -> str:
    return subprocess.check_output(["findmnt", "-n", "-o", "FSTYPE", "-T", path], text=True).split()[-1]


def of(found: Series, name: str, program: str) -> dict[tuple[str, str], float]:
    """(type, operation) → value."""
    return {
        (dict(labels)["fstype"], dict(labels)["operation"]): value
        for (sample, labels), value in found.items()
        if sample == name and ("program", program) in labels
    }


@pytest.mark.parametrize("place", ["disk", "memory"])
def test_threads_short_lived_children_and_failures_are_counted_exactly(
    agent: RunningAgent, tmp_path: Path, place: str
) -> None:
    folder = tmp_path if place == "disk" else Path("/dev/shm")
    file, there = folder / f"scalpels-test-{agent.pid}", fstype(folder)
    try:
        with Caller(agent, "caller") as caller, Caller(agent, "bystander"), Caller(agent, "unnamed") as unnamed:
            before = series_of(agent, "scalpels_fs")
            unnamed.do(f"mix {file}")
            caller.do(f"mix {file}")
            after = series_of(agent, "scalpels_fs")
    finally:
        file.unlink(missing_ok=True)
    assert moved(before, after, "scalpels_fs_seconds_count") == {
        (there, "fsync"): 1000,
        (there, "read"): 5000,
        (there, "write"): 200 * 7,
        (there, "open"): 1,
        ("other", "open"): 300,
        ("other", "truncate"): 1,
    }
    assert moved(before, after, "scalpels_fs_bytes_total") == {(there, "read"): 5000 * 64, (there, "write"): 1400 * 9}
    for program in ("bystander", "other"):
        for name in ("scalpels_fs_seconds_count", "scalpels_fs_bytes_total"):
            assert of(after, name, program) == of(before, name, program)


def moved(before: Series, after: Series, name: str) -> dict[tuple[str, str], float]:
    then = of(before, name, "caller")
    changes = {key: value - then.get(key, 0) for key, value in of(after, name, "caller").items()}
    return {key: change for key, change in changes.items() if change}
