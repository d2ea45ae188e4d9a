"""The command line under test as a process, and screens that a test can read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from typing import Any

from rich.console import Console
from running import ROOT, public_python

from scalpels_exporter.cli.screen import Screen

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Begin = Callable[..., "subprocess.Popen[str]"]
Until = Callable[..., Any]
Golden = Callable[[str, str], None]


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "scalpels_exporter", *map(str, words)]


def environment(**more: str) -> dict[str, str]:
    """Nothing of the tester's own settings, and no agent of theirs."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SCALPELS_", "XDG_")) and k != "NO_COLOR"}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def run(*words: object, prefix: tuple[str, ...] = (), seconds: float = 60, **env: str) -> Any:
    """`scalpels WORDS…` to its end; `prefix` stands before it, as setpriv does. Never a traceback."""
    other = public_python() if prefix else (sys.executable, {})  # another user may not enter this checkout
    done = subprocess.run(
        [*prefix, other[0], *command(*words)[1:]],
        capture_output=True,
        text=True,
        timeout=seconds,
        env=environment(**{**env, **other[1]}),
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in done.stderr + done.stdout
    return done


class Paper:
    """A terminal of some width, or with None a file, that keeps what is written."""

    def __init__(self, width: int | None, *, colours: bool = False) -> None:
        self._file = StringIO()
        self.screen = Screen(
            Console(
                file=self._file,
                width=width or 80,
                force_terminal=width is not None,
                color_system="standard" if colours else None,
                highlight=False,
                markup=False,
                emoji=False,
                _environ={},
            )
        )

    @property
    def text(self) -> str:
        """Without the codes for bold and dim, which are there when colours are not."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self.raw)

    @property
    def raw(self) -> str:
        return self._file.getvalue()
