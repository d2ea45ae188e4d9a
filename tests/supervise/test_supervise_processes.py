"""Whose child is whose, also over threads and on a kernel that does not list children."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from scalpels_exporter.processes import children

STARTS_ONE_IN_A_THREAD = """\
import subprocess, sys, threading
def start():
    print(subprocess.Popen(["sleep", "60"]).pid, flush=True)
    sys.stdin.read()
threading.Thread(target=start).start()
"""


def test_a_child_that_a_thread_started_is_found() -> None:
    command = [sys.executable, "-c", STARTS_ONE_IN_A_THREAD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            assert children(process.pid) == [child]
        finally:
            os.kill(child, 9)
            process.kill()


def _recorded(root: Path, pid: int, parent: int, listed: str | None = None) -> None:
    task = root / str(pid) / "task" / str(pid)
    task.mkdir(parents=True)
    (root / str(pid) / "stat").write_text(f"{pid} (a) b) c) S {parent} 1 1 0")
    if listed is not None:
        (task / "children").write_text(listed)


def test_a_kernel_that_lists_no_children_is_asked_for_every_parent(tmp_path: Path) -> None:
    for pid, parent in ((10, 1), (11, 10), (12, 10), (13, 11)):
        _recorded(tmp_path, pid, parent)
    (tmp_path / "self").symlink_to("10")
    assert sorted(children(10, str(tmp_path))) == [11, 12]
    assert children(13, str(tmp_path)) == []
    assert children(99, str(tmp_path)) == []


def test_a_kernel_that_lists_children_is_asked_for_nothing_else(tmp_path: Path) -> None:
    _recorded(tmp_path, 10, 1, "11 ")
    _recorded(tmp_path, 12, 10, "")
    assert children(10, str(tmp_path)) == [11]
    assert children(12, str(tmp_path)) == []
