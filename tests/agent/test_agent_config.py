"""An agent that cannot start says why in lines that name file, line and key, and exits with 2."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from running import QUIET, ROOT, RunningAgent

OFF = (
    QUIET
    + """\
  honest:
    command: [/usr/bin/python3, -S, {workers}/is_honest.py, honest]
    format: samples
    mode: ticked
    metric: {{name: scalpels_honest_events_total, type: counter, help: Events., labels: [kind]}}
    default: off
"""
)


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scalpels_exporter", "agent", *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=ROOT, check=False)


def test_every_mistake_is_one_line_and_the_exit_status_is_2(tmp_path: Path) -> None:
    file = tmp_path / "scalpels.yaml"
    file.write_text("tracers:\n  progam: {}\n  vpn: {command: 7}\nbudgets: {overhead: much}\n")
    ended = run(f"--config.file={file}")
    assert ended.returncode == 2
    lines = ended.stderr.strip().splitlines()
    assert len(lines) >= 3, ended.stderr
    assert all(line.startswith(f"{file}:") for line in lines)
    assert {line.split(":")[1] for line in lines} == {"2", "3", "4"}
    assert "Traceback" not in ended.stderr


def test_a_port_that_is_taken_is_one_line(start_agent: Callable[..., RunningAgent], tmp_path: Path) -> None:
    agent = start_agent(QUIET)
    file = tmp_path / "scalpels.yaml"
    file.write_text(QUIET)
    address = f"--web.listen-address=127.0.0.1:{agent.port}"
    ended = run(f"--config.file={file}", address, f"--web.socket={tmp_path}/a.sock")
    assert ended.returncode == 1
    assert str(agent.port) in ended.stderr
    assert "Traceback" not in ended.stderr
