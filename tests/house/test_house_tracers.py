"""A tracer is one stem: it imports the words of declarations, and what names programs and routes, and no other tracer."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from running import ROOT

STEMS = sorted((ROOT / "tracers").glob("*.py"))
OURS = ("scalpels_exporter.declare", "scalpels_exporter.programs.", "scalpels_exporter.routes.")


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
