"""The tracer that names processes for all kernel programs, in the real agent."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable

import pytest
from running import QUIET, RunningAgent

from scalpels_exporter.bpf import headers

RULES = "programs:\n  - {name: parent, cmdline: mark-of-the-parent}\n  - {name: image, cmdline: mark-of-the-image}\n"
# Forks as many children as a line says, which wait for the next line's end; execs `image` at "exec".
FORKING = """
import os, sys, signal
children = []
for line in sys.stdin:
    if line == "exec\\n":
        os.execvp(sys.executable, [sys.executable, "-c", "input()", "mark-of-the-image"])
    for pid in children:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    children = []
    for _ in range(int(line)):
        pid = os.fork()
        if pid == 0:
            signal.pause()
        children.append(pid)
    print("done", flush=True)
"""


@pytest.mark.root
@pytest.mark.parametrize("btf", ["on", "off"])
def test_forks_are_inherited_execs_looked_at_again_and_exits_removed(
    btf: str, start_agent: Callable[..., RunningAgent], until: Callable[..., object]
) -> None:
    if importlib.util.find_spec("bcc") is None or headers.find() is None:
        pytest.skip("needs python3-bpfcc and kernel headers")
    with subprocess.Popen(
        [sys.executable, "-c", FORKING, "mark-of-the-parent"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        agent = start_agent(f"{RULES}{QUIET}  programs: {{btf: {btf}}}\n")

        def processes(program: str) -> float | None:
            return agent.value("scalpels_programs_processes", program=program)

        until(lambda: processes("parent") == 1, 30, "a process that was there before has its name")
        for forks in (20, 3, 0):
            child.stdin.write(f"{forks}\n")
            child.stdin.flush()
            assert child.stdout.readline() == "done\n"
            assert processes("parent") == 1 + forks  # at once: the kernel itself has noted them
        child.stdin.write("exec\n")
        child.stdin.flush()
        until(lambda: (processes("parent"), processes("image")) == (0, 1), 5, "an exec makes another program of it")
        child.kill()
    until(lambda: processes("image") == 0, 5, "an exit takes it out")


@pytest.mark.root
def test_other_rules_name_running_processes_anew_after_a_reload(
    start_agent: Callable[..., RunningAgent], until: Callable[..., object]
) -> None:
    if importlib.util.find_spec("bcc") is None or headers.find() is None:
        pytest.skip("needs python3-bpfcc and kernel headers")
    with subprocess.Popen([sys.executable, "-c", "input()", "mark-of-the-parent"], stdin=subprocess.PIPE) as child:
        agent = start_agent(f"{RULES}{QUIET}  programs: {{}}\n")
        until(lambda: agent.value("scalpels_programs_processes", program="parent") == 1, 30, "it has its name")
        agent.config.write_text(agent.config.read_text().replace("name: parent", "name: renamed"))
        assert agent.post("/-/reload").status_code == 200
        until(lambda: agent.value("scalpels_programs_processes", program="renamed") == 1, 30, "it has the other one")
        assert not agent.value("scalpels_programs_processes", program="parent")
        agent.config.write_text(agent.config.read_text().replace("name: renamed", "name: other"))
        assert agent.post("/-/reload").status_code == 200
        until(lambda: not agent.value("scalpels_programs_processes", program="renamed"), 30, "a rule leaves it unnamed")
        assert agent.value("scalpels_programs_processes", program="other") is None
        child.kill()
