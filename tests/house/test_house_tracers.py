"""A tracer is one stem: it imports the words of declarations, what names and chooses series, and no other tracer."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

import pytest
from running import ROOT

from scalpels_exporter.catalog import find
from scalpels_exporter.declare import Bpf, Parser, Tracer

STEMS = sorted((ROOT / "tracers").glob("*.py"))
KERNEL_PROGRAMS = [found.tracer for found in find().values() if isinstance(found.tracer.runs, Bpf | Parser)]
OURS = (
    "scalpels_exporter.declare",
    "scalpels_exporter.leaders",
    "scalpels_exporter.programs.",
    "scalpels_exporter.routes.",
    "scalpels_exporter.texts",
)


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." * node.level + (node.module or ""))
    return found


@pytest.mark.parametrize("path", STEMS, ids=lambda path: path.stem)
def test_a_tracer_imports_declarations_and_decoders_only(path: Path) -> None:
    ours = {name for name in imported(path) if name.startswith((".", "scalpels_exporter", "tracers"))}
    assert {name for name in ours if not name.startswith(OURS)} == set()


@pytest.mark.parametrize("path", STEMS, ids=lambda path: path.stem)
def test_a_tracer_has_tests_of_its_own_under_its_stem(path: Path) -> None:
    assert list((ROOT / "tests" / "tracers" / path.stem).glob("test_*.py"))


@pytest.mark.parametrize("tracer", KERNEL_PROGRAMS, ids=lambda tracer: tracer.name)
def test_a_kernel_program_has_a_case_for_every_kernel(tracer: Tracer) -> None:
    case = runpy.run_path(str(ROOT / "tests" / "tracers" / tracer.name / "case.py"))
    assert callable(case["work"])
    assert isinstance(case["PARAMETERS"], dict)
    hosts = isinstance(tracer.runs, Bpf) and tracer.runs.calls  # what it sees others count
    assert case["COUNTS"] or hosts
    names = tuple(metric.name for metric in tracer.metrics)
    assert [text for text in case["COUNTS"] if not text.startswith(names)] == []
