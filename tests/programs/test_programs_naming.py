"""When a process is looked at, when not, and what is forgotten."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scalpels_exporter.programs.known import KNOWN
from scalpels_exporter.programs.naming import Naming
from scalpels_exporter.programs.rules import OTHER, Rule

NAMED = (Rule(r"\1", re.compile("^run ([^ ]+)")),)
HERTZ = os.sysconf("SC_CLK_TCK")


class Machine:
    """A /proc of a few processes, and the time since boot. `reads` counts how often a command line was asked for."""

    def __init__(self, proc: Path) -> None:
        self.proc = proc
        self.now = 1000.0

    def start(self, pid: int, program: str, *, at: float | None = None, comm: str = "run", image: int = 7) -> None:
        folder = self.proc / str(pid)
        folder.mkdir(exist_ok=True)
        started = int((self.now if at is None else at) * HERTZ)
        zeros = " 0" * 17
        (folder / "stat").write_text(f"{pid} ({comm}) S{zeros} 0 {started} 1 2 3 4 5 {image} 0 0\n")
        (folder / "cmdline").write_bytes(f"run {program}".replace(" ", "\0").encode())
        (folder / "cgroup").write_text("0::/\n")

    def rename(self, pid: int, program: str) -> None:
        (self.proc / str(pid) / "cmdline").write_bytes(f"run {program}".replace(" ", "\0").encode())

    def end(self, pid: int) -> None:
        shutil.rmtree(self.proc / str(pid))

    def naming(self) -> Naming:
        return Naming(NAMED, str(self.proc), lambda: self.now)


@pytest.fixture(name="machine")
def machine_fixture(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_process_is_named_by_the_first_rule_that_matches(machine: Machine) -> None:
    machine.start(5, "billing --port 80")
    assert machine.naming().program(5) == "billing"


def test_a_settled_process_is_looked_at_once(machine: Machine) -> None:
    machine.start(5, "billing", at=10.0)
    naming = machine.naming()
    assert naming.program(5) == "billing"
    machine.rename(5, "shipping")
    machine.now += 3000
    assert naming.program(5) == "billing"


def test_an_exec_that_changes_the_command_name_is_looked_at_again(machine: Machine) -> None:
    machine.start(5, "billing", at=10.0)
    naming = machine.naming()
    assert naming.program(5) == "billing"
    machine.start(5, "shipping", at=10.0, comm="a (b) c")
    assert naming.program(5) == "shipping"


def test_an_exec_of_the_same_command_name_is_looked_at_again(machine: Machine) -> None:
    machine.start(5, "billing", at=10.0, image=100)
    naming = machine.naming()
    assert naming.program(5) == "billing"
    machine.start(5, "shipping", at=10.0, image=200)
    assert naming.program(5) == "shipping"
    machine.start(5, "x", at=10.0, image=0)  # the kernel does not show it to everyone
    assert naming.program(5) == "shipping"


def test_a_pid_that_was_given_again_is_looked_at_again(machine: Machine) -> None:
    machine.start(5, "billing", at=10.0)
    naming = machine.naming()
    assert naming.program(5) == "billing"
    machine.start(5, "shipping", at=11.0)
    assert naming.program(5) == "shipping"


def test_a_young_process_is_looked_at_again_and_then_settles(machine: Machine) -> None:
    machine.start(5, "billing")
    naming = machine.naming()
    seen = []
    for n in range(40):
        machine.rename(5, f"p{n}")
        seen.append(naming.program(5))
        machine.now += 0.5
    # Looked at 0, 1, 2, 4, 8 and 16 seconds after its start, and not between or after.
    assert sorted(set(seen), key=lambda name: int(name[1:])) == ["p0", "p2", "p4", "p8", "p16", "p32"]
    machine.rename(5, "late")
    machine.now += 1000
    assert naming.program(5) == "p32"


def test_who_has_read_the_stat_reads_nothing_twice(machine: Machine) -> None:
    machine.start(5, "billing", at=10.0)
    naming = machine.naming()
    assert naming.program_of(5, 10 * HERTZ, "run") == "billing"
    machine.end(5)
    assert naming.program_of(5, 10 * HERTZ, "run") == "billing"
    assert naming.program_of(5, 10 * HERTZ, "run", image=9) == "billing"
    assert naming.program_of(5, 10 * HERTZ, "ran") == OTHER


def test_both_ways_of_asking_share_what_is_known(machine: Machine) -> None:
    machine.start(5, "billing", at=10.0)
    naming = machine.naming()
    assert naming.program(5) == "billing"
    machine.rename(5, "shipping")
    assert naming.program_of(5, 10 * HERTZ, "run") == "billing"


def test_a_process_that_is_gone_is_other(machine: Machine) -> None:
    machine.start(5, "billing", at=10.0)
    naming = machine.naming()
    assert naming.program(5) == "billing"
    machine.end(5)
    assert naming.program(5) == OTHER
    (machine.proc / "6").mkdir()
    (machine.proc / "6" / "stat").write_text("6 (x) S 1")
    assert naming.program(6) == OTHER


def test_the_dead_are_forgotten(machine: Machine) -> None:
    naming = machine.naming()
    for pid in range(100, 200):
        machine.start(pid, "billing", at=10.0)
        naming.program(pid)
    for pid in range(100, 199):
        machine.end(pid)
    for _ in range(3):
        machine.now += 61
        naming.program(199)
    assert list(naming._known) == [199]


def test_names_are_bounded_in_number_and_length(machine: Machine) -> None:
    naming = machine.naming()
    machine.start(5, "x" * 300, at=10.0)
    assert naming.program(5) == "x" * 80
    names = set()
    for n in range(1100):
        machine.start(7, f"p{n}", at=11.0 + n)
        names.add(naming.program(7))
    assert len(names) == 1000  # 999 of them, and other
    assert OTHER in names


def test_an_exec_after_a_fork_is_seen_on_a_real_process(until: Callable[..., object]) -> None:
    naming = Naming((Rule("asleep", re.compile("^sleep 600 ")), Rule("waiting", re.compile("print.*sleep"))))
    script = "import os; print(1, flush=True); input(); os.execvp('sleep', ['sleep', '600', '0'])"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        try:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdout.readline()
            assert naming.program(child.pid) == "waiting"
            child.stdin.write(b"\n")
            child.stdin.flush()
            until(lambda: naming.program(child.pid) == "asleep", seconds=10)
        finally:
            child.kill()
    assert naming.program(child.pid) == OTHER


def test_every_process_of_this_machine_can_be_named() -> None:
    naming = Naming(KNOWN)
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    names = {pid: naming.program(pid) for pid in pids}
    assert all(name and name.isprintable() for name in names.values())
