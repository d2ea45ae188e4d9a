"""Nothing is lost and nothing counts twice: a tree of known workload against /proc summed by hand and rusage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scalpels_exporter.programs.census import Census
from scalpels_exporter.programs.process import Process

HERTZ = os.sysconf("SC_CLK_TCK")
BURNER = Path(__file__).with_name("burner.py")
USER, SYSTEM, MINOR, MAJOR, READ, WRITTEN = range(6)


class Tree:
    """The burner, its descendants (they share its session), and a census that calls them `tree`."""

    def __init__(self, until: Any, **options: Any) -> None:
        self.until = until
        self.root = subprocess.Popen(
            [sys.executable, str(BURNER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.tell("usage")
        self.census = Census("/proc", self.name, **options)
        self.seen = [0] * 8

    def name(self, process: Process) -> str:
        return "tree" if int(process.stat.rpartition(b")")[2].split()[3]) == self.root.pid else "other"

    def command(self, name: str, **arguments: Any) -> None:
        assert self.root.stdin is not None
        self.root.stdin.write(json.dumps([name, arguments]) + "\n")
        self.root.stdin.flush()

    def answer(self) -> Any:
        assert self.root.stdout is not None
        return json.loads(self.root.stdout.readline())

    def tell(self, name: str, **arguments: Any) -> Any:
        self.command(name, **arguments)
        return self.answer()

    def pids(self) -> list[int]:
        found = []
        for path in Path("/proc").iterdir():
            if path.name.isdecimal():
                try:
                    session = int((path / "stat").read_text().rpartition(")")[2].split()[3])
                except OSError:
                    continue
                if session == self.root.pid:
                    found.append(int(path.name))
        return found

    def asleep(self) -> bool:
        states = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in self.pids()]
        return set(states) <= {"S", "Z"}

    def tick(self) -> None:
        """Once all are asleep; no counter may have gone back."""
        self.until(self.asleep, what="the tree is at rest")
        self.run_tick()

    def run_tick(self) -> None:
        self.census.tick(time.monotonic())
        now = [*self.counted(), *self.census.programs["tree"].switches]
        assert all(new >= old for new, old in zip(now, self.seen, strict=True)), (now, self.seen)
        self.seen = now

    def counted(self) -> list[int]:
        return list(self.census.programs["tree"].sums)

    def by_hand(self) -> list[int]:
        sums = [0] * 6
        for pid in self.pids():
            f = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            io = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
            for n, fields in enumerate(((11, 13), (12, 14), (7, 8), (9, 10))):
                sums[n] += sum(int(f[field]) for field in fields)
            sums[READ] += int(io["read_bytes"])
            sums[WRITTEN] += int(io["write_bytes"])
        return sums

    def switches_by_hand(self) -> list[int]:
        sums = [0, 0]
        for pid in self.pids():
            for status in Path(f"/proc/{pid}/task").glob("*/status"):
                facts = dict(line.split(":", 1) for line in status.read_text().splitlines())
                sums[0] += int(facts["voluntary_ctxt_switches"])
                sums[1] += int(facts["nonvoluntary_ctxt_switches"])
        return sums

    def end(self) -> None:
        for pid in self.pids():
            if pid != self.root.pid:
                os.kill(pid, 9)
        self.root.kill()
        self.root.communicate()


@pytest.fixture(name="tree")
def tree_fixture(until: Any) -> Iterator[Tree]:
    tree = Tree(until)
    yield tree
    tree.end()


def test_children_that_died_between_two_ticks_are_counted_in_full(tree: Tree) -> None:
    tree.tick()
    before = tree.counted()
    tree.tell("short", n=5, ms=60)
    tree.tick()
    assert tree.counted() == tree.by_hand()
    burned = (tree.counted()[USER] + tree.counted()[SYSTEM] - before[USER] - before[SYSTEM]) / HERTZ
    assert burned == pytest.approx(0.3, abs=0.1)


def test_children_seen_alive_do_not_count_again_when_they_are_waited_for(tree: Tree) -> None:
    tree.tick()
    tree.tell("hold", n=3, ms=60)
    tree.tick()
    assert len(tree.census.known.keys() & set(tree.pids())) == 4
    tree.tell("release", keep=1)
    tree.tell("hold", n=2, ms=30)
    tree.tick()
    assert tree.counted() == tree.by_hand()
    tree.tell("release")
    tree.tick()
    assert tree.counted() == tree.by_hand()


def test_grandchildren_alive_and_dead_agree_with_proc_and_rusage(tree: Tree) -> None:
    tree.tick()
    tree.tell("hold", n=2, ms=40, grandchildren=2)
    tree.tell("short", n=2, ms=30)
    tree.tick()
    tree.tell("release")
    tree.tell("hold", n=1, ms=40, grandchildren=3)
    tree.tick()
    assert tree.counted() == tree.by_hand()
    tree.tell("release")
    usage = tree.tell("usage")
    tree.tick()
    assert tree.counted() == tree.by_hand()
    # One clock tick of rounding for each of user and system, in the process's own time and in its children's.
    assert tree.counted()[USER] / HERTZ == pytest.approx(usage["user"], abs=3 / HERTZ)
    assert tree.counted()[SYSTEM] / HERTZ == pytest.approx(usage["system"], abs=3 / HERTZ)


def test_an_orphan_is_counted_once_by_who_adopts_it(tree: Tree) -> None:
    tree.tick()
    tree.tell("orphan", ms=40)
    tree.tick()
    assert tree.counted() == tree.by_hand()
    tree.tell("release")
    tree.tick()
    assert tree.counted() == tree.by_hand()


def test_bytes_written_by_children_count_once_whether_seen_or_not(tree: Tree, tmp_path: Path) -> None:
    tree.tick()
    before = tree.counted()[WRITTEN]
    tree.tell("write", path=str(tmp_path / "unseen"), size=1 << 20)
    tree.tell("hold_writer", path=str(tmp_path / "seen"), size=1 << 20)
    tree.tick()
    assert tree.counted() == tree.by_hand()
    tree.tell("release")
    tree.tick()
    assert tree.counted() == tree.by_hand()
    written = tree.counted()[WRITTEN] - before
    assert written == 0 or 2 << 20 <= written < 3 << 20  # 0 where the folder is in memory


def test_a_storm_of_processes_with_ticks_at_any_moment_adds_up_at_the_end(tree: Tree) -> None:
    tree.run_tick()
    tree.command("storm", seconds=4)
    until = time.monotonic() + 4
    ticks = 0
    while time.monotonic() < until:
        tree.run_tick()
        ticks += 1
    tree.answer()
    tree.tick()
    tree.tell("short", n=2, ms=20)  # what a child taken for its sibling left over is made up for here
    tree.tick()
    assert ticks > 20
    assert tree.counted() == tree.by_hand()


def test_children_that_nobody_waits_for_stay_counted_and_take_nothing_from_others(tree: Tree) -> None:
    tree.tell("ignore")
    tree.tick()
    tree.tell("hold", n=2, ms=60)
    tree.tick()
    before = tree.counted()
    tree.tell("release")
    tree.tick()
    tree.tick()
    assert not tree.census.unclaimed
    assert tree.counted()[USER] + tree.counted()[SYSTEM] >= before[USER] + before[SYSTEM]
    own = tree.by_hand()
    assert tree.counted()[MINOR] > own[MINOR]  # the kernel has forgotten the children, we have not


def test_without_from_birth_what_was_before_the_first_tick_does_not_count(until: Any) -> None:
    tree = Tree(until, from_birth=False)
    try:
        tree.tell("hold", n=1, ms=60)
        tree.tell("short", n=2, ms=60)
        tree.tick()
        assert tree.counted() == [0] * 6
        assert tree.seen == [0] * 8
        before = tree.by_hand()
        tree.tell("short", n=2, ms=60)
        tree.tell("release")
        tree.tick()
        assert tree.counted() == [now - then for now, then in zip(tree.by_hand(), before, strict=True)]
    finally:
        tree.end()


def test_context_switches_of_all_threads_are_counted(tree: Tree) -> None:
    tree.tick()
    tree.tell("threads", n=20, naps=10)
    tree.tick()
    assert list(tree.census.programs["tree"].switches) == tree.switches_by_hand()
    assert tree.census.programs["tree"].switches[0] > 200
    assert tree.census.programs["tree"].threads == 21


def test_threads_beyond_a_ticks_share_take_turns_and_none_is_forgotten(tree: Tree) -> None:
    tree.tick()
    tree.tell("threads", n=20, naps=10)
    tree.until(tree.asleep)
    tree.census.tick(time.monotonic(), threads=8)
    assert tree.census.programs["tree"].switches[0] < tree.switches_by_hand()[0]

    def all_had_their_turn() -> bool:
        tree.census.tick(time.monotonic(), threads=8)
        return list(tree.census.programs["tree"].switches) == tree.switches_by_hand()

    tree.until(all_had_their_turn, what="every thread is counted")


def test_an_exec_makes_another_program_of_a_process_and_keeps_both_counters(tree: Tree) -> None:
    tree.tell("short", n=1, ms=50)
    tree.census.name = lambda p: "another" if b"another" in Path(p.folder, "cmdline").read_bytes() else tree.name(p)
    tree.tick()
    before = tree.counted()
    tree.command("execute")
    tree.until(lambda: b"another" in Path(f"/proc/{tree.root.pid}/cmdline").read_bytes())
    tree.tell("short", n=1, ms=50)
    tree.tick()
    another = tree.census.programs["another"].sums
    assert tree.counted() == before
    assert [a + b for a, b in zip(before, another, strict=True)] == tree.by_hand()
    assert tree.census.programs["tree"].processes == 0
    assert tree.census.programs["another"].processes == 1


def test_memory_descriptors_threads_and_processes_agree_with_proc_by_hand(tree: Tree) -> None:
    tree.tell("hold", n=3, ms=20)
    tree.tell("threads", n=4, naps=1)
    tree.tick()
    program, pids = tree.census.programs["tree"], tree.pids()

    def kibibytes(file: str, key: str) -> int:
        return sum(
            int(line.split()[1]) * 1024
            for pid in pids
            for line in Path(f"/proc/{pid}/{file}").read_text().splitlines()
            if line.startswith(f"{key}:")
        )

    assert (program.processes, program.threads) == (4, 8)
    assert program.fds == sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)
    assert program.resident == pytest.approx(kibibytes("status", "VmRSS"), rel=0.01)
    # Python's pages are shared with whatever else runs it at the moment.
    assert program.pss == pytest.approx(kibibytes("smaps_rollup", "Pss"), rel=0.1)
