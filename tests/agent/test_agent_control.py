"""Starting, stopping and reloading a running agent: leases, audit, and all or nothing."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from running import RunningAgent

Start = Callable[..., RunningAgent]
Until = Callable[..., Any]
Config = Callable[..., str]


def audit(agent: RunningAgent) -> list[str]:
    return [line for line in agent.log.read_text().splitlines() if "component=audit" in line]


def test_a_stop_and_a_start_by_hand_are_carried_out_audited_and_counted(
    start_agent: Start, quiet_with: Config, until: Until
) -> None:
    agent = start_agent(quiet_with(honest="is_honest"))
    until(lambda: agent.tracer("honest")["state"] == "running")
    assert agent.post("/api/v1/tracers/honest/stop", {"reason": "too noisy"}).status_code == 200
    until(lambda: agent.tracer("honest")["state"] == "stopped")
    assert "too noisy" in agent.tracer("honest")["why"]
    assert agent.value("scalpels_honest_events_total", kind="a") is None
    assert agent.post("/api/v1/tracers/honest/start", {"reason": "again"}).status_code == 200
    until(lambda: agent.tracer("honest")["state"] == "running")
    samples = agent.samples()
    for order in ("start", "stop"):
        key = (("order", order), ("result", "ok"), ("tracer", "honest"))
        assert samples["scalpels_agent_orders_total", key] == 1
    said = audit(agent)
    assert any("order=stop" in line and "too noisy" in line and "loopback:" in line for line in said)
    assert any("order=start" in line for line in said)


def test_a_name_from_outside_is_refused_and_becomes_no_label(start_agent: Start, quiet_with: Config) -> None:
    agent = start_agent(quiet_with(honest="is_honest"))
    assert agent.post("/api/v1/tracers/nosuchtracer/start").status_code == 404
    text = agent.get().text
    assert "nosuchtracer" not in text
    assert 'scalpels_agent_orders_total{order="start",result="unknown_tracer",tracer="other"}' in text or (
        'tracer="other",order="start",result="unknown_tracer"' in text
    )


def test_a_lease_ends_by_itself_and_survives_a_reload(start_agent: Start, workers: Path, until: Until) -> None:
    from test_agent_config import OFF  # the same configuration, switched off

    agent = start_agent(OFF.format(workers=workers))
    assert agent.tracer("honest")["state"] == "stopped"
    began = time.time()
    assert agent.post("/api/v1/tracers/honest/start", {"for": 4, "reason": "a look"}).status_code == 200
    until(lambda: agent.tracer("honest")["state"] == "running")
    assert agent.tracer("honest")["lease_until"] >= began + 4
    assert agent.post("/-/reload").status_code == 200
    assert agent.tracer("honest")["state"] == "running"
    assert agent.tracer("honest")["lease_until"] >= began + 4
    until(lambda: agent.tracer("honest")["state"] == "stopped", 10)
    assert time.time() >= began + 4
    assert "lease ended" in agent.log.read_text()


def test_a_bad_file_changes_nothing_and_says_what_is_wrong(
    start_agent: Start, quiet_with: Config, until: Until
) -> None:
    good = quiet_with(honest="is_honest")
    agent = start_agent(good)
    until(lambda: agent.tracer("honest")["state"] == "running")
    starts = agent.tracer("honest")["starts"]
    agent.config.write_text(good + "  progam: {}\nbudget: {}\n")
    began = time.time()
    response = agent.post("/-/reload")
    assert response.status_code == 500
    lines = response.text.strip().splitlines()
    assert len(lines) == 2, response.text
    assert any("progam" in line and "program" in line for line in lines)
    assert any("budget" in line and "budgets" in line for line in lines)
    samples = agent.samples()
    assert samples["scalpels_agent_config_last_reload_successful", ()] == 0
    assert samples["scalpels_agent_config_last_reload_failure_timestamp_seconds", ()] >= began - 1
    assert samples["scalpels_agent_config_reload_failures_total", ()] == 1
    assert agent.tracer("honest")["starts"] == starts
    assert agent.tracer("honest")["state"] == "running"
    agent.config.write_text(good)
    os.kill(agent.pid, signal.SIGHUP)
    until(lambda: agent.value("scalpels_agent_config_last_reload_successful") == 1)
    assert agent.tracer("honest")["starts"] == starts


def test_a_reload_starts_stops_and_restarts_exactly_what_changed(
    start_agent: Start, quiet_with: Config, until: Until
) -> None:
    agent = start_agent(quiet_with(same="is_honest", changed="is_honest", gone="is_honest"))
    for name in ("same", "changed", "gone"):
        until(lambda name=name: agent.tracer(name)["state"] == "running")
    pids = {name: agent.tracer(name)["pid"] for name in ("same", "changed")}
    config = quiet_with(same="is_honest", changed="is_honest", new="is_honest")
    agent.config.write_text(
        config.replace("Events., labels: [kind]}", "Other., labels: [kind]}", 2).replace("Other.", "Events.", 1)
    )
    assert agent.post("/-/reload").status_code == 200
    until(lambda: agent.tracer("new")["state"] == "running")
    until(lambda: agent.tracer("changed")["state"] == "running" and agent.tracer("changed")["pid"] != pids["changed"])
    assert agent.tracer("same")["pid"] == pids["same"]
    assert agent.get("/api/v1/tracers/gone").status_code == 404
    text = agent.get().text
    assert "scalpels_gone_events_total" not in text
    assert "# HELP scalpels_changed_events_total Other." in text
