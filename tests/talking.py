"""Bytes of protocols, made by hand, and a process that exchanges them under the program's name `hostile`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from running import RunningAgent

RULE = "  - {name: hostile, cmdline: '^[^ ]*python[^ ]* .*mark-of-the-hostile'}\n"
TALKER = Path(__file__).parent / "talker.py"  # says what it can do


@contextmanager
def talker(agent: RunningAgent, until: Callable[..., object]) -> Iterator[Callable[..., None]]:
    until(lambda: not agent.value("scalpels_programs_processes", program="hostile"), 30, "the last one is gone")
    with subprocess.Popen(
        [sys.executable, "-S", str(TALKER), "mark-of-the-hostile"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        until(lambda: agent.value("scalpels_programs_processes", program="hostile") == 1, 30, "it has its name")

        def talk(kind: str, *pieces: str) -> None:
            child.stdin.write(" ".join((kind, *pieces)) + "\n")
            child.stdin.flush()
            assert child.stdout.readline() == "done\n"

        yield talk
        child.stdin.close()


def packet(payload: bytes, number: int = 0) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


def message(kind: bytes, payload: bytes) -> bytes:
    return kind + (len(payload) + 4).to_bytes(4, "big") + payload
