"""Started by an ordinary user with exactly the capabilities that the enabled tracers need, as systemd would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import RunningAgent

pytestmark = pytest.mark.root
Start = Callable[..., RunningAgent]
Until = Callable[..., Any]
USER = 1234


def as_user(*capabilities: str) -> list[str]:
    ambient = ",".join(f"+{name.removeprefix('CAP_').lower()}" for name in capabilities)
    command = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    # Only these may ever be gained: no root in disguise. (dac_read_search also lets Python read this checkout.)
    return [*command, f"--bounding-set=-all,{ambient}", f"--inh-caps=-all,{ambient}", f"--ambient-caps=-all,{ambient}"]


def status(pid: int, key: str) -> str:
    return (
        next(x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith(key)).split(":")[1].strip()
    )


def test_an_ordinary_user_with_the_listed_capabilities_runs_every_default_tracer(
    start_agent: Start, until: Until, workers: Path
) -> None:
    from scalpels_exporter.config.load import load

    needed = {c for x in load(None).tracers.values() if x.enabled for c in x.tracer.needs.capabilities}
    config = (
        "tracers:\n"
        f"  honest:\n    command: [/usr/bin/python3, -S, {workers}/is_honest.py, honest]\n    mode: ticked\n"
        "    format: samples\n"
        "    metric: {name: scalpels_honest_events_total, type: counter, help: Events., labels: [kind]}\n"
    )
    agent = start_agent(config, user=as_user(*sorted(needed)))
    for name in ("system", "program", "honest"):
        until(lambda name=name: agent.tracer(name)["state"] == "running", 20)
    assert status(agent.pid, "Uid").split()[0] == str(USER)
    assert int(status(agent.pid, "CapPrm"), 16) == 0
    spawner, *rest = [p for p in agent.tree() if p != agent.pid]
    assert int(status(spawner, "CapPrm"), 16) != 0
    honest = agent.tracer("honest")["pid"]
    assert int(status(honest, "CapPrm"), 16) == 0
    assert rest
    # What needs the capabilities is really there: another user's file descriptors, of pid 1.
    assert agent.samples()["scalpels_program_open_fds", (("program", "scalpels"),)] > 0


def test_without_capabilities_what_cannot_run_says_what_is_missing(start_agent: Start, until: Until) -> None:
    agent = start_agent("tracers: {system: {}, program: {}}\n", user=as_user("CAP_DAC_READ_SEARCH"))
    until(lambda: agent.tracer("system")["state"] == "running", 20)
    until(lambda: agent.tracer("program")["state"] == "unsupported", 20)
    assert "CAP_SYS_PTRACE" in agent.tracer("program")["why"]
    assert agent.tracer("program")["starts"] == 1
