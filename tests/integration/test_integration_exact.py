"""What a Prometheus holds after a known workload, from an agent with `fs` and `syscalls` on: each count exact."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from callers import Caller
from prometheus_server import Prometheus
from running import RunningAgent, quiet_but

pytestmark = [pytest.mark.server, pytest.mark.root]
CALLS = "fsync, pread64, write, openat, clone"
Held = dict[tuple[str, tuple[str, ...]], float]  # (metric, values of its labels without the program) → value


@pytest.fixture
def scraped(
    kernel_programs: None,
    start_agent: Callable[..., RunningAgent],
    start_prometheus: Callable[[str], Prometheus],
    until: Callable[..., Any],
) -> tuple[RunningAgent, Prometheus]:
    agent = start_agent(f"{Caller.RULES}{quiet_but('fs', 'syscalls')}  fs: {{}}\n  syscalls: {{calls: [{CALLS}]}}\n")
    prometheus = start_prometheus(f"127.0.0.1:{agent.port}")
    for name in ("fs", "syscalls"):
        until(lambda name=name: prometheus.number(f"scalpels_worker_up{{tracer='{name}'}}") == 1, 40, f"{name} is up")
    return agent, prometheus


def held(prometheus: Prometheus, program: str) -> Held:
    """Everything that `fs` and `syscalls` say of a program, as the last scrape brought it."""
    found = prometheus.query(f'{{__name__=~"scalpels_(fs|syscalls)_.+",program="{program}"}}')
    left_out = {"__name__", "instance", "job", "program"}
    return {
        (labels["__name__"], tuple(labels[key] for key in sorted(labels.keys() - left_out))): float(one["value"][1])
        for one in found
        for labels in [one["metric"]]
    }


def fstype(path: Path) -> str:
    return subprocess.check_output(["findmnt", "-n", "-o", "FSTYPE", "-T", path], text=True).split()[-1]


def test_a_workload_raises_its_own_series_by_exactly_what_it_did_and_no_other_by_one(
    scraped: tuple[RunningAgent, Prometheus], tmp_path: Path
) -> None:
    agent, prometheus = scraped
    there = fstype(tmp_path)
    with (
        Caller(agent, "bystander") as bystander,
        Caller(agent, "caller") as caller,
        Caller(agent, "unnamed") as unnamed,
    ):
        bystander.do(f"mix {tmp_path}/bystander")  # so that it has series which could move
        prometheus.await_scrape()
        before = {program: held(prometheus, program) for program in ("caller", "bystander", "other")}
        unnamed.say(f"mix {tmp_path}/unnamed")
        caller.do(f"mix {tmp_path}/caller")
        assert unnamed.hear() == "done"
        prometheus.await_scrape()
        after = {program: held(prometheus, program) for program in before}
    moved = Counter(after["caller"])
    moved.subtract(before["caller"])
    exact = {key: value for key, value in moved.items() if value and key[0].endswith(("_count", "_total"))}
    assert exact == {
        ("scalpels_fs_seconds_count", (there, "fsync")): 1000,
        ("scalpels_fs_seconds_count", (there, "read")): 5000,
        ("scalpels_fs_seconds_count", (there, "write")): 200 * 7,
        ("scalpels_fs_seconds_count", (there, "open")): 1,
        ("scalpels_fs_seconds_count", ("other", "open")): 300,
        ("scalpels_fs_seconds_count", ("other", "truncate")): 1,
        ("scalpels_fs_bytes_total", (there, "read")): 5000 * 64,
        ("scalpels_fs_bytes_total", (there, "write")): 200 * 7 * 9,
        ("scalpels_syscalls_seconds_count", ("fsync",)): 1000,
        ("scalpels_syscalls_seconds_count", ("pread64",)): 5000,
        ("scalpels_syscalls_seconds_count", ("write",)): 200 * 7 + 1,  # and its answer
        ("scalpels_syscalls_seconds_count", ("openat",)): 301,
        ("scalpels_syscalls_seconds_count", ("clone",)): 200,
        ("scalpels_syscalls_errors_total", ("ENOENT", "openat")): 300,
    }
    assert len(before["bystander"]) > 100
    assert after["bystander"] == before["bystander"]
    assert after["other"] == before["other"] == {}
    for metric in ("scalpels_fs_seconds", "scalpels_syscalls_seconds"):
        apart = prometheus.query(f"{metric}_bucket{{le='+Inf'}} - ignoring(le) {metric}_count")
        assert {one["value"][1] for one in apart} == {"0"}
    assert prometheus.query("scalpels_tracer_lost_total{tracer=~'fs|syscalls|programs'} > 0") == []
    assert prometheus.query("scalpels_tracer_series_folded_total > 0") == []
