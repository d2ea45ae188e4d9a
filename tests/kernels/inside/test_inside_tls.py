"""Probes in libssl under the kernel that runs: what they bring is counted exactly, by the parsers loaded once more."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import is_up
from running import RunningAgent, quiet_but
from servers.certificate import make_certificate

pytestmark = pytest.mark.root
WORK = Path(__file__).with_name("tls_work.py")
PROGRAM, MARK = "encrypts", "mark-of-who-encrypts"
TIMES = 20
SECONDS = 240  # an emulated machine compiles slowly
SETTINGS = (
    f"programs:\n  - {{name: {PROGRAM}, cmdline: '{MARK}$'}}\n"
    f"{quiet_but('sql', 'http', 'wire')}  sql: {{}}\n  http: {{}}\n  wire: {{tls: true}}\n"
)


def test_statements_over_tls_are_counted_exactly(
    start_agent: Callable[..., RunningAgent], until: Callable[..., Any], tmp_path: Path
) -> None:
    agent = start_agent(SETTINGS)

    def statements() -> Counter[str]:
        labelled = [(name, dict(labels), value) for (name, labels), value in agent.samples().items()]
        return Counter(
            {
                labels["side"]: round(value)
                for name, labels, value in labelled
                if name == "scalpels_sql_seconds_count" and labels["program"] == PROGRAM
            }
        )

    until(lambda: is_up(agent, "sql"), SECONDS, "sql is up")
    command = [sys.executable, "-S", WORK, *make_certificate(tmp_path), MARK]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        until(lambda: agent.value("scalpels_programs_processes", program=PROGRAM) == 1, 60, "it has its name")
        until(lambda: (agent.value("scalpels_wire_tls_files") or 0) >= 1, 60, "libssl has its probes")
        before = statements()
        process.stdin.write(f"{TIMES}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
        until(lambda: statements() - before == Counter(client=TIMES, server=TIMES), 20, "all are counted")
