"""Writes dashboards/json, dashboards/rules and docs/runbooks, and removes there what nothing makes any more.

`make update` runs it; tests/dashboards compares. A mistake in a board is one line on stderr, and nothing is written.
"""

from __future__ import annotations

import sys
from pathlib import Path

from dashboards import drawing, rules, runbooks
from dashboards.boards import ROOT, find_boards
from dashboards.declared import metrics, series
from dashboards.queries import Queries
from scalpels_exporter.config.settings import Mistakes


def texts() -> dict[Path, str]:
    """Every file that is made, with its text. Mistakes for a board that is wrong."""
    declared = metrics()
    boards = find_boards(declared)
    pages = drawing.pages(boards, Queries(declared, series(declared)))
    return {
        **{ROOT / "dashboards" / "json" / f"{name}.json": text for name, text in pages.items()},
        **{
            ROOT / "dashboards" / "rules" / f"{name}.yaml": text for name, text in rules.files(boards, declared).items()
        },
        **{ROOT / "docs" / "runbooks" / f"{name}.md": text for name, text in runbooks.pages(boards).items()},
    }


def present() -> set[Path]:
    """The files that are there."""
    folders = {"dashboards/json": "*.json", "dashboards/rules": "*.yaml", "docs/runbooks": "*.md"}
    return {path for folder, pattern in folders.items() for path in (ROOT / folder).glob(pattern)}


def main() -> int:
    """Exit status 0, 1 for a mistake; prints the files that changed."""
    try:
        made = texts()
    except Mistakes as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    for path in sorted(present() - made.keys()):
        path.unlink()
        sys.stdout.write(f"{path.relative_to(ROOT)} removed\n")
    for path, text in made.items():
        if not path.is_file() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            sys.stdout.write(f"{path.relative_to(ROOT)} updated\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
