"""What a tracer's case.py says: a little work, and what the tracer must show of it; and a process that does it."""

from __future__ import annotations

import re
import runpy
import subprocess
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from at_work import CASE, at_work
from running import ROOT

from scalpels_exporter.catalog import find
from scalpels_exporter.declare import Bpf, Parser, Tracer

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


def left_out(name: str) -> set[str]:
    """The metrics that the work of the case does not bring to show anything; no other may show nothing."""
    found: set[str] = runpy.run_path(str(file_of(name))).get("LEFT_OUT", set())
    return found


def counts(name: str) -> dict[Key, float]:
    """By how much each series of the program must move; no other may."""
    written: Mapping[str, float] = runpy.run_path(str(file_of(name)))["COUNTS"]
    return {key_of(text, name): value for text, value in written.items()}


def key_of(text: str, name: str) -> Key:
    metric, _, labels = text.partition("{")
    pairs = [("program", program_of(name)), *re.findall(r'(\w+)="([^"]*)"', labels)]
    return metric, tuple(sorted(pairs))


def doing(name: str) -> AbstractContextManager[subprocess.Popen[str]]:
    return at_work(CASE, file_of(name), f"mark-of-{program_of(name)}")
