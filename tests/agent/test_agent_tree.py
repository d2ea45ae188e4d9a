"""Who holds which privilege, and what is left when something is killed."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import RunningAgent, lives, processes_of

pytestmark = pytest.mark.root
Start = Callable[..., RunningAgent]
Until = Callable[..., Any]


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def spawner_of(agent: RunningAgent) -> int:
    return int(Path(f"/proc/{agent.pid}/task/{agent.pid}/children").read_text().split()[0])


def test_the_process_that_listens_holds_nothing(start_agent: Start, quiet_with: Callable[..., str]) -> None:
    agent = start_agent(quiet_with(honest="is_honest"))
    proper = status(agent.pid)
    assert "0" not in proper["Uid"].split()
    assert "0" not in proper["Gid"].split()
    assert proper["Groups"] == ""
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(proper[kind], 16) == 0, kind
    assert proper["NoNewPrivs"] == "1"
    assert proper["Seccomp"] == "2"


def test_the_spawner_keeps_the_privileges_and_opens_no_network(
    start_agent: Start, quiet_with: Callable[..., str]
) -> None:
    agent = start_agent(quiet_with(honest="is_honest"))
    spawner = spawner_of(agent)
    assert status(spawner)["Uid"].split()[0] == "0"
    inodes = {str(entry.readlink()) for entry in Path(f"/proc/{spawner}/fd").iterdir()}
    sockets = [name for name in inodes if name.startswith("socket:")]
    assert len(sockets) == 1  # the one to the agent proper
    tables = "".join(Path(f"/proc/{spawner}/net/{table}").read_text() for table in ("tcp", "tcp6", "udp", "udp6"))
    assert sockets[0].split("[")[1].rstrip("]") not in tables


def test_a_script_runs_in_a_session_of_its_own_without_any_privilege(
    start_agent: Start, quiet_with: Callable[..., str], until: Until
) -> None:
    agent = start_agent(quiet_with(honest="is_honest"))
    pid = until(lambda: agent.tracer("honest")["state"] == "running" and agent.tracer("honest")["pid"])
    for one in [p for p in agent.tree() if p == pid or os.getsid(p) == pid]:
        found = status(one)
        assert "0" not in found["Uid"].split()
        assert found["Uid"] != status(agent.pid)["Uid"]
        assert int(found["CapPrm"], 16) == int(found["CapBnd"], 16) == 0
        assert os.getsid(one) == pid


def test_the_agent_killed_twenty_times_at_random_moments_leaves_no_process(
    start_agent: Start, quiet_with: Callable[..., str], until: Until
) -> None:
    for turn in range(20):
        agent = start_agent(quiet_with(honest="is_honest", grand="leaves_grandchildren", deaf="ignores_sigterm"))
        moment = time.monotonic() + random.Random(turn).uniform(0, 0.6)
        until(lambda moment=moment, agent=agent: agent.tree() and time.monotonic() >= moment, 5)
        os.kill(agent.pid, signal.SIGKILL)
        agent.process.wait()
        until(lambda agent=agent: not agent.survivors(), 5, "every process is gone 5 s after SIGKILL")


def test_the_spawner_killed_takes_the_workers_and_the_agent_with_it(
    start_agent: Start, quiet_with: Callable[..., str], until: Until
) -> None:
    agent = start_agent(quiet_with(honest="is_honest", grand="leaves_grandchildren", deaf="ignores_sigterm"))
    until(lambda: agent.value("scalpels_grand_events_total", kind="a"))
    until(lambda: len(agent.tree()) >= 9)  # agent, spawner, three workers with their commands, two grandchildren
    os.kill(spawner_of(agent), signal.SIGKILL)
    assert agent.process.wait(10) == 1
    until(lambda: not agent.survivors(), 5)


def test_a_worker_killed_a_hundred_times_while_scraped_hurts_no_other(
    start_agent: Start, quiet_with: Callable[..., str], until: Until
) -> None:
    agent = start_agent(quiet_with(honest="is_honest", victim="is_honest"))
    until(lambda: agent.tracer("victim")["state"] == "running")
    until(lambda: agent.value("scalpels_honest_events_total", kind="a"))
    done = threading.Event()
    answers: list[tuple[int, float, float | None]] = []

    def scrape() -> None:
        while not done.is_set():
            began = time.monotonic()
            response = agent.get(**{"X-Prometheus-Scrape-Timeout-Seconds": "5"})
            line = next(
                (x for x in response.text.splitlines() if x.startswith('scalpels_honest_events_total{kind="a"')), ""
            )
            answers.append((response.status_code, time.monotonic() - began, float(line.split()[1]) if line else None))

    scraper = threading.Thread(target=scrape)
    scraper.start()
    try:
        last = None
        for _ in range(100):
            pid = until(lambda last=last: (found := agent.tracer("victim")["pid"]) != last and found, 10)
            agent.tree()
            os.kill(pid, signal.SIGKILL)
            until(lambda pid=pid: not lives(pid))
            last = pid
            agent.post("/api/v1/tracers/victim/start")  # leaves the back-off: a hundred kills, not five
    finally:
        done.set()
        scraper.join()
    assert len(answers) >= 20
    assert {code for code, _, _ in answers} == {200}
    assert max(took for _, took, _ in answers) < 5
    values = [value for _, _, value in answers]
    assert None not in values
    assert values == sorted(values)
    assert agent.tracer("victim")["exits"]["signal"] == 100
    assert agent.tracer("honest")["exits"] == {}


def test_a_worker_killed_alone_takes_its_grandchildren_with_it(
    start_agent: Start, quiet_with: Callable[..., str], until: Until
) -> None:
    agent = start_agent(quiet_with(grand="leaves_grandchildren"))
    until(lambda: agent.value("scalpels_grand_events_total", kind="a"))
    worker = agent.tracer("grand")["pid"]
    family = until(lambda: len(found := processes_of(worker)) >= 4 and found)  # worker, command, two grandchildren
    os.kill(worker, signal.SIGKILL)
    until(lambda: not [pid for pid in family if lives(pid)], 5)
    until(lambda: agent.tracer("grand")["starts"] == 2)


def test_an_orderly_end_is_quick_and_complete(start_agent: Start, quiet_with: Callable[..., str], until: Until) -> None:
    agent = start_agent(quiet_with(honest="is_honest", grand="leaves_grandchildren"))
    until(lambda: agent.value("scalpels_grand_events_total", kind="a"))
    agent.tree()
    agent.process.terminate()
    assert agent.process.wait(5) == 0
    assert not agent.survivors()
    assert not agent.socket.exists()
