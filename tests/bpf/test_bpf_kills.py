"""Whatever is killed at whatever moment, nothing stays in the kernel or on disk, and what can come back does."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import string
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from leftovers import PRIVATE, Places, held_by, left_of
from running import QUIET, ROOT, RunningAgent, lives, processes_of, wait_until

pytestmark = pytest.mark.root
KILLS = 20
LOADING_SECONDS = 0.35  # a loader's life, about
Until = Callable[..., Any]


@dataclass
class Victims:
    """Agents whose tracer has names in the kernel that no other agent on this machine has."""

    start: Callable[..., RunningAgent]
    folder: Path
    kept: tuple[Path, ...]
    mark: str
    held: set[str] = field(default_factory=set)
    places: list[Places] = field(default_factory=list)

    def agent(self) -> RunningAgent:
        settings = f"tracer_folders: [{self.folder}]\n{QUIET}  faults: {{}}\n  programs: {{}}\n"
        agent = self.start(settings, user=[*PRIVATE, *map(str, self.kept), "--"])
        self.places.append(Places(agent.pid, self.kept))
        return agent

    def kill(self, agent: RunningAgent, pid: int) -> None:
        """And remembers what the agent had in the kernel at this moment."""
        self.held |= held_by(agent.tree())
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def assert_nothing_is_left(self) -> None:
        wait_until(lambda: not left_of(self.mark, self.held), 20, "nothing is left in the kernel")
        assert set().union(*(places.files() for places in self.places)) == set()


@pytest.fixture
def victims(
    bcc: None, start_agent: Callable[..., RunningAgent], tracer_folder: Path, open_folder: Path
) -> Iterator[Victims]:
    for command in ("bpftool", "unshare"):
        if shutil.which(command) is None:
            pytest.skip(f"needs {command}")
    mark = "".join(random.choices(string.ascii_lowercase, k=8))
    for name in ("faults.py", "faults.bpf.c"):  # the kernel keeps 15 characters of a name
        file = tracer_folder / name
        file.write_text(file.read_text().replace("on_fault", f"on_{mark}"))
    victims = Victims(start_agent, tracer_folder, (open_folder, tracer_folder, ROOT), mark)
    yield victims
    for places in victims.places:
        places.close()


def named(agent: RunningAgent, name: str) -> list[int]:
    """Processes of the agent by what `ps` calls them; a worker comes before its loader."""
    found = []
    for pid in processes_of(agent.pid):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                found.append(pid)
    return found


def worker_of(agent: RunningAgent, tracer: str, start: int) -> int | None:
    """The worker's pid once it has been started for the `start`-th time."""
    told = agent.tracer(tracer)
    pid: int | None = told["pid"] if told["starts"] == start else None
    return pid


def after(until: Until, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    until(lambda: time.monotonic() >= deadline, seconds + 5)


@pytest.mark.parametrize("victim", ["agent", "spawner"])
def test_an_agent_whose_process_is_killed_at_any_moment_leaves_nothing(
    victim: str, victims: Victims, until: Until
) -> None:
    moments = random.Random(23)
    for _ in range(KILLS):
        agent = victims.agent()
        after(until, moments.uniform(0, 2 * LOADING_SECONDS))
        victims.kill(agent, agent.pid if victim == "agent" else named(agent, "scalpels-spawn")[0])
        assert agent.process.wait(15) == (-signal.SIGKILL if victim == "agent" else 1)
        until(lambda: not agent.survivors(), 10, "every process has ended")  # noqa: B023 - called before the next round
        if victim == "spawner":
            assert "the spawner is gone, so no worker can be kept: the agent ends" in agent.log.read_text()
    victims.assert_nothing_is_left()


def running(agent: RunningAgent) -> bool:
    return all(agent.tracer(name)["state"] == "running" for name in ("faults", "programs"))


def programs_of(victims: Victims, agent: RunningAgent) -> int:
    """Of the tracer, in the kernel; each is there once when all has come back."""
    return len([one for one in left_of(victims.mark, set()) if one.startswith("prog")])


@pytest.mark.parametrize("tracer", ["faults", "programs"])
def test_a_worker_that_is_killed_at_any_moment_comes_back_and_leaves_nothing(
    tracer: str, victims: Victims, until: Until
) -> None:
    agent = victims.agent()
    other = {"faults": "programs", "programs": "faults"}[tracer]
    until(lambda: running(agent), 30, "both run")
    there = programs_of(victims, agent)
    moments = random.Random(5)
    for kills in range(1, KILLS + 1):
        worker = until(lambda: worker_of(agent, tracer, kills), 10, "it has a worker")  # noqa: B023
        after(until, moments.uniform(0, 1.5 * LOADING_SECONDS))
        victims.kill(agent, worker)
        until(lambda: agent.tracer(tracer)["exits"] == {"signal": kills}, 10, "its end is told")  # noqa: B023
        if kills < KILLS:
            agent.post(f"/api/v1/tracers/{tracer}/start", {})  # leaves the back-off
    until(lambda: running(agent), 30, "both run again, by themselves")
    assert agent.tracer(tracer)["starts"] == KILLS + 1
    assert agent.tracer(other)["starts"] == 1
    until(lambda: programs_of(victims, agent) == there, 20, "each program is there once")
    agent.close()
    victims.assert_nothing_is_left()


def test_a_loader_that_is_killed_at_any_moment_takes_all_that_it_made_with_it_and_another_comes(
    victims: Victims, until: Until
) -> None:
    agent = victims.agent()
    until(lambda: running(agent), 30, "both run")
    there = programs_of(victims, agent)
    moments = random.Random(7)

    def killed() -> int:
        found: int = agent.tracer("faults")["exits"].get("exit", 0)
        return found

    def loader_at_work() -> int:
        agent.post("/api/v1/tracers/faults/stop", {})
        until(lambda: not named(agent, "sc:faults"), 10, "it has no worker")
        agent.post("/api/v1/tracers/faults/start", {})
        _, loader, *_ = until(lambda: len(found := named(agent, "sc:faults")) > 1 and found, 10, "a loader works")
        return int(loader)

    loader, begun = loader_at_work(), time.monotonic()
    until(lambda: not lives(loader), 30, "it is done")
    life = time.monotonic() - begun
    rounds = 0
    while killed() < KILLS:  # one that was done before it could be killed does not count
        rounds += 1
        assert rounds <= 3 * KILLS
        loader, before = loader_at_work(), killed()
        after(until, moments.uniform(0, life))
        victims.kill(agent, loader)
        until(lambda: killed() > before or running(agent), 30, "its worker has told so, or was served")  # noqa: B023
        if killed() > before:
            assert "the loader ended before it was done" in agent.tracer("faults")["why"]
    assert killed() == KILLS
    until(lambda: not left_of(victims.mark, set()), 20, "nothing is left, while the agent goes on")
    agent.post("/api/v1/tracers/faults/start", {})
    until(lambda: running(agent), 30, "both run")
    assert agent.tracer("programs")["starts"] == 1
    until(lambda: programs_of(victims, agent) == there, 20, "each program is there once")
    agent.close()
    victims.assert_nothing_is_left()
