"""An attacker who has taken over the agent proper gets nothing from it that he could not get without it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.root
REFUSED = "Operation not permitted"


@pytest.fixture
def found(open_folder: Path, quiet_with: Callable[..., str]) -> dict[str, Any]:
    config = open_folder / "scalpels.yaml"
    config.write_text(quiet_with(honest="is_honest"))
    config.chmod(0o600)
    command = [sys.executable, Path(__file__).parent / "attacker.py", config, open_folder / "a.sock"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 0, ended.stderr
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


def test_it_can_start_no_program_and_read_nothing_of_roots(found: dict[str, Any]) -> None:
    for what in ("exec", "fork", "spawn", "setuid", "setgid", "kill the spawner", "ptrace", "unshare", "mount"):
        assert found[what] == REFUSED, what
    for what in ("shadow", "config", "memory of the spawner", "environment of the spawner"):
        assert found[what] == "Permission denied", what
    assert found["system"]
    assert found["thread"]  # what asyncio and the password check need still works
    assert {int(mask, 16) for mask in found["capabilities"]} == {0}


def test_the_spawner_obeys_declared_names_and_nothing_else(found: dict[str, Any]) -> None:
    assert found["orders"] == {
        "a command": "refused start: not the name of a tracer and a number",
        "a command with words": "refused an unknown message: 'start'",
        "an unknown message": "refused an unknown message: 'exec'",
        "undeclared": "unstarted nosuch 1 no tracer is declared as nosuch",
        "too long": "refused a message of 513 bytes or more; at most 512 are read",
        "not text": "refused a message that is not ASCII",
        "web without one": "refused there is no web configuration",
        "declared": "started honest 7",
        "twice": "unstarted honest 8 honest has a worker already",
    }
