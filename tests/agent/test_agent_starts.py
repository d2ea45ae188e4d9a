"""However an agent is started, and whatever is left open or closed for it, it serves and ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import ROOT, RunningAgent, processes_of

pytestmark = pytest.mark.root
Start = Callable[..., RunningAgent]
Until = Callable[..., Any]
Config = Callable[..., str]


def under(shell: str) -> list[str]:
    """What stands before the agent's command, so that a shell prepares its start."""
    return ["bash", "-c", f'{shell} exec "$@"', "bash"]


def targets(pid: int) -> dict[int, str]:
    found = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed in this moment
            found[int(entry.name)] = str(entry.readlink())
    return found


def test_a_stdin_that_was_closed_is_taken_by_nothing_else(start_agent: Start, quiet_with: Config, until: Until) -> None:
    agent = start_agent(quiet_with(honest="is_honest"), user=under("exec <&-;"))
    until(lambda: agent.tracer("honest")["state"] == "running")
    for pid in processes_of(agent.pid)[:2]:  # the agent and its spawner
        assert targets(pid)[0] == "/dev/null"


WITHOUT_FILES = """\
import sys
from pathlib import Path
from scalpels_exporter.agent.options import Options
from scalpels_exporter.agent.process import run
sys.exit(run(Options(Path(sys.argv[1]), (f"unix:{sys.argv[2]}",), socket=sys.argv[3])))
"""


def test_an_agent_without_any_standard_file_serves(open_folder: Path, quiet_with: Config, until: Until) -> None:
    config, path = open_folder / "scalpels.yaml", open_folder / "run" / "metrics.sock"
    config.write_text(quiet_with(honest="is_honest"))
    path.parent.mkdir()
    path.parent.chmod(0o777)
    command = [*under("exec <&- >&- 2>&-;"), sys.executable, "-c", WITHOUT_FILES, config, path, f"{path}.control"]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        until(lambda: "scalpels_honest_events_total{" in _asked(path))
        for pid in processes_of(process.pid)[:2]:
            assert {targets(pid)[number] for number in range(3)} == {"/dev/null"}
    finally:
        process.terminate()
        assert process.wait(15) == 0


def _asked(path: Path) -> str:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        sock.connect(str(path))
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: sock.recv(65536), b"")).decode()


def test_a_file_that_was_left_open_reaches_no_process_of_the_agent(
    start_agent: Start, quiet_with: Config, until: Until
) -> None:
    agent = start_agent(quiet_with(honest="is_honest"), user=under("exec 7</etc/shadow 1000</etc/shadow;"))
    until(lambda: agent.tracer("honest")["state"] == "running")
    assert len(agent.tree()) >= 4
    for pid in agent.tree():
        assert "/etc/shadow" not in targets(pid).values()


@pytest.mark.parametrize("files", [64, 256])
def test_few_open_files_are_enough_to_say_what_is_wrong_and_to_go_on(
    start_agent: Start, quiet_with: Config, until: Until, files: int
) -> None:
    names = [f"t{number}" for number in range(30)]  # 90 pipes: more than 64 files
    agent = start_agent(quiet_with(**dict.fromkeys(names, "is_honest")), user=under(f"ulimit -n {files};"))
    until(lambda: sum(agent.tracer(name)["state"] == "running" for name in names) >= (10 if files == 64 else 30), 30)
    assert agent.get().status_code == 200
    log = agent.log.read_text()
    assert "internal error" not in log
    assert "Traceback" not in log
    assert files > 64 or "open files" in log
    leaked = [name for name in names if agent.tracer(name)["state"] not in ("running", "starting", "backoff", "failed")]
    assert leaked == []


def test_the_soft_limit_of_open_files_is_no_limit_for_many_tracers(start_agent: Start, quiet_with: Config) -> None:
    agent = start_agent(quiet_with(honest="is_honest"), user=under("ulimit -Sn 128;"))
    limits = Path(f"/proc/{agent.pid}/limits").read_text()
    line = next(line for line in limits.splitlines() if line.startswith("Max open files"))
    assert int(line.split()[3]) > 128


def test_a_spawner_that_is_stopped_does_not_keep_an_agent_from_ending(
    start_agent: Start, quiet_with: Config, until: Until
) -> None:
    agent = start_agent(quiet_with(honest="is_honest"))
    until(lambda: agent.tracer("honest")["state"] == "running")
    spawner = agent.tree()[1]
    os.kill(spawner, signal.SIGSTOP)
    try:
        assert agent.get().status_code == 200  # scraping needs no spawner
        agent.process.terminate()
        agent.process.wait(20)
        assert "does not end" in agent.log.read_text()
    finally:
        os.kill(spawner, signal.SIGCONT)
    until(lambda: not agent.survivors(), 5, "continued, the spawner ends its workers and itself")


def test_a_ctrl_c_in_its_terminal_ends_it_in_order(start_agent: Start, quiet_with: Config, until: Until) -> None:
    agent = start_agent(quiet_with(honest="is_honest"), user=["setsid"])
    until(lambda: agent.tracer("honest")["state"] == "running")
    group = os.getpgid(agent.pid)
    assert group == agent.pid
    agent.tree()
    os.killpg(group, signal.SIGINT)
    assert agent.process.wait(10) == 0
    assert not agent.survivors()
    assert "Traceback" not in agent.log.read_text()
