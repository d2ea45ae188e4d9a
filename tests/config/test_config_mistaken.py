"""mistaken/NAME.yaml → mistaken/NAME.txt: every mistake at once, one line each, with file, line and key.

`UPDATE=1 pytest tests/config/test_config_mistaken.py` writes the expected lines afresh; read the difference.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "mistaken"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_mistaken_file_is_answered_with_exactly_these_lines(path: Path, mistaken: Callable[[str], list[str]]) -> None:
    lines = mistaken(path.read_text())
    expected = path.with_suffix(".txt")
    if os.environ.get("UPDATE"):
        expected.write_text("\n".join(lines) + "\n")
    assert lines == expected.read_text().splitlines()
