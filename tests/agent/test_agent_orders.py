"""Orders and ends in a real agent at bad moments: at once after a start, under a storm, with families in the way."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import QUIET, RunningAgent, lives

pytestmark = pytest.mark.root
Start = Callable[..., RunningAgent]
Until = Callable[..., Any]
Config = Callable[..., str]


def script(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return f"  {name}:\n    command: {path}\n"


def test_a_stop_right_after_a_start_needs_no_kill(start_agent: Start, open_folder: Path, until: Until) -> None:
    agent = start_agent(QUIET + script(open_folder, "sleeper", "exec sleep 1000") + "    default: off\n")
    took = []
    for _ in range(20):
        assert agent.post("/api/v1/tracers/sleeper/start").status_code == 200
        assert agent.post("/api/v1/tracers/sleeper/stop").status_code == 200
        began = time.monotonic()
        until(lambda: agent.tracer("sleeper")["state"] == "stopped", 15)
        took.append(time.monotonic() - began)
    assert max(took) < 4  # SIGKILL comes after five
    assert set(agent.tracer("sleeper")["exits"]) == {"stopped"}


def test_a_tracer_taken_out_of_the_configuration_has_its_time_to_end(
    start_agent: Start, open_folder: Path, until: Until
) -> None:
    (open_folder / "out").mkdir()
    (open_folder / "out").chmod(0o777)
    text = f"trap 'sleep 0.3; echo tidy > {open_folder}/out/tidied; exit 0' TERM\nwhile :; do echo 1 x; sleep 0.1; done"
    agent = start_agent(QUIET + script(open_folder, "tidy", text))
    until(lambda: agent.tracer("tidy")["state"] == "running")
    agent.config.write_text(QUIET)
    assert agent.post("/-/reload").status_code == 200
    assert "scalpels_tidy_value" not in agent.get().text
    until(lambda: agent.get("/api/v1/tracers/tidy").status_code == 404)
    assert (open_folder / "out" / "tidied").read_text() == "tidy\n"


def test_one_that_comes_back_while_it_ends_is_started_again(
    start_agent: Start, open_folder: Path, until: Until
) -> None:
    text = "trap 'sleep 1; exit 0' TERM\nwhile :; do echo 1 x; sleep 0.1; done"
    config = QUIET + script(open_folder, "back", text)
    agent = start_agent(config)
    pid = until(lambda: agent.tracer("back")["state"] == "running" and agent.tracer("back")["pid"])
    for text in (QUIET, config):
        agent.config.write_text(text)
        assert agent.post("/-/reload").status_code == 200
    until(lambda: agent.tracer("back")["state"] == "running" and agent.tracer("back")["pid"] != pid)
    assert agent.tracer("back")["exits"] == {"stopped": 1}


def test_a_chain_of_orphans_ends_to_its_last_link(start_agent: Start, open_folder: Path, until: Until) -> None:
    """Each in a session of its own, so that only whoever becomes its parent can find it."""
    (open_folder / "out").mkdir()
    (open_folder / "out").chmod(0o777)
    link = f"echo $$ >> {open_folder}/out/pids; "
    chain = f"{link} exec sleep 1000"
    for name in ("c", "b", "a"):
        (open_folder / name).write_text(f"#!/bin/sh\n{chain}\n")
        (open_folder / name).chmod(0o755)
        chain = f"{link} setsid {open_folder}/{name} & wait"
    agent = start_agent(QUIET + script(open_folder, "chain", f"{chain}"))
    pids = open_folder / "out" / "pids"
    family = until(lambda: len(found := pids.read_text().split()) == 4 and [int(pid) for pid in found])
    worker = agent.tracer("chain")["pid"]
    agent.tree()
    os.kill(worker, signal.SIGKILL)
    until(lambda: not [pid for pid in family if lives(pid)], 3, "every link is gone")


def test_a_storm_of_hangups_is_few_reloads(start_agent: Start, quiet_with: Config, until: Until) -> None:
    agent = start_agent(quiet_with(honest="is_honest"))
    until(lambda: agent.tracer("honest")["state"] == "running")
    pid = agent.tracer("honest")["pid"]
    began = time.monotonic()
    for _ in range(2000):
        os.kill(agent.pid, signal.SIGHUP)
    until(lambda: (agent.value("scalpels_agent_config_reloads_total") or 0) >= 1)
    assert agent.get().status_code == 200
    last = -1.0

    def settled() -> bool:
        nonlocal last
        before, last = last, agent.value("scalpels_agent_config_reloads_total") or 0.0
        return before == last and "result=ok" in agent.log.read_text()

    until(settled, 20)
    assert last <= 3 + (time.monotonic() - began) / 0.02
    assert agent.tracer("honest")["pid"] == pid


def test_a_stopped_worker_is_served_from_its_last_snapshot_and_can_be_stopped_for_good(
    start_agent: Start, quiet_with: Config, until: Until
) -> None:
    agent = start_agent(quiet_with(honest="is_honest"))
    value = until(lambda: agent.value("scalpels_honest_events_total", kind="a"))
    worker = agent.tracer("honest")["pid"]
    group = [pid for pid in agent.tree() if os.getsid(pid) == worker]
    for pid in group:
        os.kill(pid, signal.SIGSTOP)
    text = agent.get(**{"X-Prometheus-Scrape-Timeout-Seconds": "1"}).text
    assert f'scalpels_honest_events_total{{kind="a"}} {value}' in text or "scalpels_honest_events_total{" in text
    assert agent.tracer("honest")["timeouts"] >= 1
    assert agent.post("/api/v1/tracers/honest/stop").status_code == 200
    until(lambda: agent.tracer("honest")["state"] == "stopped", 10)
    assert not [pid for pid in group if lives(pid)]


def test_orders_given_while_the_spawner_is_stopped_are_carried_out_later(
    start_agent: Start, quiet_with: Config, until: Until
) -> None:
    agent = start_agent(quiet_with(honest="is_honest", other="is_honest"))
    until(lambda: agent.tracer("honest")["state"] == "running" and agent.tracer("other")["state"] == "running")
    spawner = agent.tree()[1]
    os.kill(spawner, signal.SIGSTOP)
    try:
        assert agent.post("/api/v1/tracers/honest/stop").status_code == 200
        for _ in range(5):
            assert agent.get().status_code == 200
        assert agent.post("/api/v1/tracers/honest/start").status_code == 200
    finally:
        os.kill(spawner, signal.SIGCONT)
    until(lambda: agent.tracer("honest")["state"] == "running" and agent.tracer("honest")["starts"] == 2)
    assert agent.tracer("other")["exits"] == {}
    assert "internal error" not in agent.log.read_text()


def test_an_orderly_end_blames_no_worker(start_agent: Start, quiet_with: Config, until: Until) -> None:
    agent = start_agent(quiet_with(honest="is_honest"))
    until(lambda: agent.tracer("honest")["state"] == "running")
    agent.process.terminate()
    assert agent.process.wait(10) == 0
    log = agent.log.read_text()
    assert "tracer backoff" not in log
    assert "ended by signal" not in log


def test_a_worker_that_floods_its_log_leaves_the_agent_its_time(
    start_agent: Start, open_folder: Path, until: Until
) -> None:
    agent = start_agent(QUIET + script(open_folder, "noisy", "while :; do yes noise >&2; done"))
    until(lambda: agent.tracer("noisy")["starts"] == 1)

    def cpu() -> float:
        return sum(map(int, Path(f"/proc/{agent.pid}/stat").read_text().rpartition(")")[2].split()[11:13])) / 100

    began = time.monotonic()
    until(lambda: time.monotonic() - began > 3, 10)  # its burst is used up
    before, since = cpu(), time.monotonic()
    until(lambda: time.monotonic() - since > 3, 10)
    assert (cpu() - before) / (time.monotonic() - since) < 0.3
    assert agent.log.read_text().count("\n") < 300
