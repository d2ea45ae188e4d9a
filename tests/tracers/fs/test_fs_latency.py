"""Latencies that are known: calls in a file system that takes the time it is told, measured by their caller too."""

from __future__ import annotations

import math
import subprocess
from bisect import bisect_left
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from callers import Caller, Series, series_of
from running import RunningAgent, quiet_but, wait_until

pytestmark = pytest.mark.root
PYTHON = "/usr/bin/python3"  # of the distribution
SLOW_FILES = Path(__file__).parent / "slow_files.py"
KINDS = {  # kind → its system call, and delays in microseconds
    "sleep": ("clock_nanosleep", [50] * 60 + [900] * 30 + [7_000] * 10),
    "read": ("pread64", [0] * 60 + [400] * 30 + [3_000] * 10),
    "write": ("pwrite64", [2_000] * 60 + [12_000] * 30 + [60_000] * 10),
    "fsync": ("fsync", [20_000] * 12 + [150_000] * 6 + [1_000_000] * 2),
}
QUANTILES = (0.5, 0.9, 0.99)


@pytest.fixture
def slow_files(tmp_path: Path) -> Iterator[Path]:
    """A folder in which they are mounted."""
    if not Path("/dev/fuse").exists():
        pytest.skip("needs /dev/fuse")
    if subprocess.run([PYTHON, "-c", "import fusepy"], capture_output=True).returncode:
        pytest.skip("needs python3-fusepy")
    folder = tmp_path / "slow"
    folder.mkdir()
    with subprocess.Popen([PYTHON, str(SLOW_FILES), str(folder)]) as server:
        try:
            wait_until(lambda: server.poll() is not None or folder.is_mount(), 10, "it is mounted")
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)  # which ends the server


@pytest.fixture
def agent(
    kernel_programs: None, start_agent: Callable[..., RunningAgent], until: Callable[..., object]
) -> RunningAgent:
    calls = ", ".join(call for call, _ in KINDS.values())
    agent = start_agent(f"{Caller.RULES}{quiet_but('fs', 'syscalls')}  fs: {{}}\n  syscalls: {{calls: [{calls}]}}\n")
    for name in ("fs", "syscalls"):
        until(lambda name=name: agent.value("scalpels_worker_up", tracer=name) == 1, 40, f"{name} is up")
    return agent


def buckets(found: Series, metric: str, **labels: str) -> list[tuple[float, float]]:
    """(upper bound, calls at or below it), ascending."""
    wanted = {**labels, "program": "caller"}.items()
    return sorted(
        (float(dict(key)["le"]), value) for (name, key), value in found.items() if name == metric and wanted <= set(key)
    )


def apart(shown: list[tuple[float, float]], took: list[float], quantile: float) -> int:
    """By how many buckets the quantile that is shown lies beside the one that the caller measured."""
    rank = math.ceil(quantile * len(took))
    bounds = [bound for bound, _ in shown]
    ours = next(n for n, (_, count) in enumerate(shown) if count >= rank)
    return abs(ours - bisect_left(bounds, sorted(took)[rank - 1]))


def test_quantiles_from_50_microseconds_to_a_second_are_within_one_bucket_of_what_the_caller_measured(
    agent: RunningAgent, slow_files: Path
) -> None:
    took: dict[str, list[float]] = {}
    with Caller(agent, "caller") as caller:
        before = series_of(agent, "scalpels_")
        for kind, (_, delays) in KINDS.items():
            answer = caller.do(f"slow {slow_files} {kind} {' '.join(map(str, delays))}")
            took[kind] = [int(word) / 1e9 for word in answer.split()]
        after = series_of(agent, "scalpels_")
    found = {key: value - before.get(key, 0) for key, value in after.items()}
    assert min(took["sleep"]) < 100e-6
    assert max(took["fsync"]) >= 1
    for kind, (call, delays) in KINDS.items():
        shown = {"syscalls": buckets(found, "scalpels_syscalls_seconds_bucket", syscall=call)}
        if kind != "sleep":
            shown["fs"] = buckets(found, "scalpels_fs_seconds_bucket", fstype="fuse", operation=kind)
        for tracer, every in shown.items():
            assert every[-1][1] == len(delays), (tracer, kind)
            distances = {quantile: apart(every, took[kind], quantile) for quantile in QUANTILES}
            assert max(distances.values()) <= 1, (tracer, kind, distances)
