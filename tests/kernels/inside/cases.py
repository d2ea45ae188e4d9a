"""What a tracer's case.py says: a little work, and what the tracer must show of it; and a process that does it."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from running import ROOT

from scalpels_exporter.catalog import find
from scalpels_exporter.declare import Bpf, Parser, Tracer

WORK = Path(__file__).parent / "work.py"
Key = tuple[str, tuple[tuple[str, str], ...]]  # of a sample: its name, its sorted labels

TRACERS: dict[str, Tracer] = {
    name: found.tracer for name, found in sorted(find().items()) if isinstance(found.tracer.runs, Bpf | Parser)
}


def file_of(name: str) -> Path:
    return ROOT / "tests" / "tracers" / name / "case.py"


def program_of(name: str) -> str:
    """The program that the work of a tracer's case is counted for."""
    return f"case-{name}"


def parameters(name: str) -> dict[str, Any]:
    found: dict[str, Any] = runpy.run_path(str(file_of(name)))["PARAMETERS"]
    return found


def counts(name: str) -> dict[Key, float]:
    """By how much each series of the program must move; no other may."""
    written: Mapping[str, float] = runpy.run_path(str(file_of(name)))["COUNTS"]
    return {key_of(text, name): value for text, value in written.items()}


def key_of(text: str, name: str) -> Key:
    metric, _, labels = text.partition("{")
    pairs = [("program", program_of(name)), *re.findall(r'(\w+)="([^"]*)"', labels)]
    return metric, tuple(sorted(pairs))


@contextmanager
def doing(name: str) -> Iterator[subprocess.Popen[str]]:
    """The process, before it works. It is gone after the context, and its children are."""
    command = [sys.executable, "-S", str(WORK), str(file_of(name)), f"mark-of-{program_of(name)}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process


def do(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"
