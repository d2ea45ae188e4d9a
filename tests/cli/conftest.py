"""What tests of the command line share: golden files, and processes that are ended after a test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_process import Begin, Golden, command, environment

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Starts `scalpels WORDS…` and leaves it running; it is ended after the test if it still lives."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: object, **env: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command(*words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env=environment(**env),
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with process:  # closes its pipes, and waits
            process.terminate()


@pytest.fixture
def golden() -> Golden:
    """Compares with a file that a person can read. GOLDEN=update in the environment writes it anew, to be reviewed."""

    def same(name: str, text: str) -> None:
        file = GOLDEN / name
        if os.environ.get("GOLDEN") == "update":
            file.write_text(text)
        assert text == file.read_text()

    return same
