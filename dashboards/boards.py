"""Finds every board: beside the tracers, and in dashboards/boards what belongs to no tracer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dashboards.board import Board
from dashboards.declared import Declared
from dashboards.reading import read_board
from scalpels_exporter.config.settings import Mistake, Mistakes

ROOT = Path(__file__).resolve().parent.parent
OURS = ROOT / "dashboards" / "boards"
TRACERS = ROOT / "tracers"


def find_boards(declared: Mapping[str, Declared]) -> list[Board]:
    """All boards by name, the ones of no tracer first. Mistakes with everything that is wrong in any of them."""
    found, mistakes = [], []
    for path in (*sorted(OURS.glob("*.board.yaml")), *sorted(TRACERS.glob("*.board.yaml"))):
        try:
            board = read_board(path, declared)
        except Mistakes as exc:
            mistakes += exc.found
            continue
        if path.parent == TRACERS and not path.with_name(f"{board.name}.py").is_file():
            mistakes.append(Mistake(str(path), 0, "", f"expected the tracer {board.name}.py beside it"))
        found.append(board)
    if mistakes:
        raise Mistakes(mistakes)
    return found
