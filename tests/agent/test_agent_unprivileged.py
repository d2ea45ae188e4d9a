"""Started by an ordinary user with exactly the capabilities that the enabled tracers need, as systemd would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from callers import Caller, series_of
from running import ROOT, RunningAgent, public_python, quiet_but

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


# ---------------------------------------------------------------------------- kernel programs

IN_A_NAMESPACE = ["unshare", "--mount", "sh", "-ec"]
MOUNT = "mount -t tmpfs none /sys/kernel/tracing; mount -t tracefs -o mode=700 none /sys/kernel/tracing"
WITH_TRACEFS = [*IN_A_NAMESPACE, f'{MOUNT}; exec "$@"', "sh"]  # as systemd mounts it
WITHOUT_TRACEFS = [*IN_A_NAMESPACE, 'mount -t tmpfs none /sys/kernel/tracing; exec "$@"', "sh"]
TRACERS = ("fs", "syscalls", "programs")
KERNEL_TRACERS = f"{Caller.RULES}{quiet_but('fs', 'syscalls')}  fs: {{}}\n  syscalls: {{calls: [fsync]}}\n"


def doctor(config: str, folder: Path, before: list[str]) -> dict[str, Any]:
    """What it says of the configuration, as JSON."""
    file = folder / "doctor.yaml"
    file.write_text(config)
    python, environment = public_python()  # another user may not enter this checkout
    command = [*before, python, "-m", "scalpels_exporter", "doctor", "--json", f"--config.file={file}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **environment})
    assert done.stdout, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if said["can_run"] else 1)
    return said


@pytest.fixture
def listed(kernel_programs: None, open_folder: Path) -> dict[str, Any]:
    """What doctor, run by root, says that an ordinary user's agent needs for `fs` and `syscalls`."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    return doctor(KERNEL_TRACERS, open_folder, WITH_TRACEFS)


def test_an_ordinary_user_with_the_listed_capabilities_runs_kernel_programs_and_counts_exactly(
    listed: dict[str, Any], start_agent: Start, until: Until, tmp_path: Path
) -> None:
    agent = start_agent(KERNEL_TRACERS, user=[*WITH_TRACEFS, *as_user(*listed["ambient_capabilities"])])
    for name in TRACERS:
        until(lambda name=name: agent.tracer(name)["state"] == "running", 30, f"{name} runs")
    with Caller(agent, "caller") as caller:
        caller.do(f"fsyncs 17 {tmp_path}/file")
        found = series_of(agent, "scalpels_")
    assert found["scalpels_syscalls_seconds_count", (("program", "caller"), ("syscall", "fsync"))] == 17
    fsyncs = [
        value
        for (name, labels), value in found.items()
        if name == "scalpels_fs_seconds_count" and {("program", "caller"), ("operation", "fsync")} <= set(labels)
    ]
    assert fsyncs == [17]
    assert "it takes CAP_SYS_ADMIN" in agent.log.read_text()
    for name in TRACERS:
        assert found["scalpels_tracer_probe_runs_total", (("tracer", name),)] == 0  # not measured
        kept = int(status(agent.tracer(name)["pid"], "CapPrm"), 16)
        assert kept & ~(1 << 39) == (1 << 19 if name == "programs" else 0)  # CAP_BPF before 5.19; CAP_SYS_PTRACE


@pytest.mark.parametrize("host", [WITH_TRACEFS, WITHOUT_TRACEFS], ids=["tracefs", "no-tracefs"])
def test_with_what_is_listed_for_measuring_their_cost_is_known_too_and_tracefs_is_mounted(
    host: list[str], listed: dict[str, Any], start_agent: Start, until: Until
) -> None:
    assert listed["measuring_capabilities"] == ["CAP_SYS_ADMIN"]
    every = [*listed["ambient_capabilities"], *listed["measuring_capabilities"]]
    agent = start_agent(KERNEL_TRACERS.replace("  fs: {}\n", ""), user=[*host, *as_user(*every)])
    for name in TRACERS[1:]:
        until(lambda name=name: agent.tracer(name)["state"] == "running", 30, f"{name} runs")
    with Caller(agent, "caller"):
        runs = ("scalpels_tracer_probe_runs_total", (("tracer", "programs"),))
        until(lambda: agent.samples()[runs] > 0, 20, "runs are counted")


def test_none_of_the_listed_capabilities_can_be_left_out_and_doctor_says_so_too(
    listed: dict[str, Any], start_agent: Start, until: Until, open_folder: Path
) -> None:
    config = KERNEL_TRACERS.replace("  fs: {}\n", "")
    for missing in listed["ambient_capabilities"]:
        rest = [name for name in listed["ambient_capabilities"] if name != missing]
        if missing != "CAP_DAC_READ_SEARCH":  # which Python may need to read this checkout
            agent = start_agent(config, user=[*WITH_TRACEFS, *as_user(*rest)])
            until(lambda agent=agent: agent.tracer("programs")["state"] == "unsupported", 30, f"without {missing}")
            assert missing in agent.tracer("programs")["why"]
            agent.close()
        said = doctor(config, open_folder, [*WITH_TRACEFS, *as_user(*rest)])
        programs = next(one for one in said["tracers"] if one["tracer"] == "programs")
        assert missing in programs["lacks"][0]["what"]
        assert not said["can_run"]


def test_the_page_on_security_names_the_same_capabilities(listed: dict[str, Any]) -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    assert f"\n    AmbientCapabilities={' '.join(listed['ambient_capabilities'])}\n" in text
