"""What a worker logs and what is refused of it → bounded, printable lines on stderr. Judges nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

from scalpels_exporter.cli.clean import clean

MOST_LINES = 200
LEVELS = {"D!": 0, "I!": 1, "W!": 2, "E!": 3}
LEAST = {"debug": 0, "info": 1, "warn": 2, "error": 3}


class Remarks:
    """`level` is the least one of the worker's lines that is shown; a line without a level counts as info."""

    def __init__(self, level: str) -> None:
        self._least = LEAST[level]
        self._lines = 0

    def say(self, kind: str, text: str) -> None:
        """`kind` is log or refused."""
        if kind == "log" and LEVELS.get(text[:2], LEAST["info"]) < self._least:
            return
        self._lines += 1
        if self._lines <= MOST_LINES:
            print(f"{'worker' if kind == 'log' else 'refused'}: {clean(text)}", file=sys.stderr, flush=True)

    def finish(self, rejected: Mapping[str, int]) -> None:
        """What was not said line by line: only the first of each reason was."""
        if self._lines > MOST_LINES:
            print(f"worker: {self._lines - MOST_LINES} more lines", file=sys.stderr)
        if any(times > 1 for times in rejected.values()):
            every = ", ".join(f"{reason} {times:,}" for reason, times in sorted(rejected.items()))
            print(f"refused in all: {every}", file=sys.stderr)

    def hint(self, texts: Iterable[str]) -> None:
        """Each once."""
        for text in dict.fromkeys(texts):
            print(f"hint: {text}", file=sys.stderr)
