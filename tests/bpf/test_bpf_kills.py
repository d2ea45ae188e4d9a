"""Whatever is killed, nothing stays in the kernel, and what can come back does."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import QUIET, RunningAgent, processes_of

pytestmark = pytest.mark.root
ROUNDS = 20


def kernel_objects() -> list[str]:
    """Programs of the tracer that only these tests have, and links to them; other agents may run on this host."""
    programs = [one for one in shown("prog") if one.get("name") == "on_fault"]
    mine = {one["id"] for one in programs}
    links = [one for one in shown("link") if one.get("prog_id") in mine]
    return [f"program {one['id']}" for one in programs] + [f"link {one['id']}" for one in links]


def shown(kind: str) -> list[dict[str, Any]]:
    done = subprocess.run(["bpftool", "-j", kind, "show"], capture_output=True, check=True, timeout=20)
    found: list[dict[str, Any]] = json.loads(done.stdout or b"[]")
    return found


@pytest.fixture(autouse=True)
def _tools(bcc: None) -> None:
    if shutil.which("bpftool") is None:
        pytest.skip("needs bpftool")


def settings(folder: Path) -> str:
    return f"tracer_folders: [{folder}]\n{QUIET}  faults: {{}}\n"


def named(agent: RunningAgent, name: str) -> list[int]:
    """Processes of the agent by what `ps` calls them."""
    found = []
    for pid in processes_of(agent.pid):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                found.append(pid)
    return found


@pytest.mark.parametrize("victim", ["agent", "spawner"])
def test_an_agent_whose_process_is_killed_at_any_moment_leaves_nothing_in_the_kernel(
    victim: str, start_agent: Callable[..., RunningAgent], tracer_folder: Path, until: Callable[..., object]
) -> None:
    before = kernel_objects()
    moments = random.Random(23)
    for _ in range(ROUNDS):
        agent = start_agent(settings(tracer_folder))
        deadline = time.monotonic() + moments.uniform(0, 1.2)
        until(lambda: time.monotonic() >= deadline, 5)  # noqa: B023 - called before the next round
        agent.tree()
        pid = agent.pid if victim == "agent" else named(agent, "scalpels-spawn")[0]
        os.kill(pid, signal.SIGKILL)
        agent.process.wait(15)
        until(lambda: not agent.survivors(), 10, "every process has ended")  # noqa: B023
    until(lambda: kernel_objects() == before, 20, "nothing is left in the kernel")


def test_a_worker_or_loader_that_is_killed_comes_back_and_leaves_nothing(
    start_agent: Callable[..., RunningAgent], tracer_folder: Path, until: Callable[..., object]
) -> None:
    before = kernel_objects()
    agent = start_agent(settings(tracer_folder))

    def up() -> bool:
        return all(agent.tracer(name)["state"] == "running" for name in ("faults", "programs"))

    until(up, 30, "both run")
    there = len(kernel_objects())
    moments = random.Random(5)
    for round in range(ROUNDS):
        # By turns the whole worker while it runs, and what it has forked while it loads.
        for pid in named(agent, "sc:faults")[:1] if round % 2 else named(agent, "sc:programs")[:1]:
            os.kill(pid, signal.SIGKILL)
        agent.post("/api/v1/tracers/faults/start", {})
        agent.post("/api/v1/tracers/programs/start", {})
        deadline = time.monotonic() + moments.uniform(0, 0.6)
        until(lambda: time.monotonic() >= deadline, 5)  # noqa: B023
        for pid in [child for one in named(agent, "sc:faults") for child in processes_of(one)[1:]]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)  # a loader at work
    for name in ("faults", "programs"):
        agent.post(f"/api/v1/tracers/{name}/start", {})
    until(up, 60, "both run again")
    until(lambda: len(kernel_objects()) == there, 20, "each program is there once")
    agent.close()
    until(lambda: kernel_objects() == before, 20, "nothing is left in the kernel")
