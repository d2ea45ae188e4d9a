"""Which lines of a worker are refused: a few more of them than the one that the intake tells for each reason.

They are found by reading what came a second time, line by line, for the formats in which each line stands alone.
This is how a person sees why a pattern does not match. Bounded; decides nothing about what is exported.
"""

from __future__ import annotations

import time

from scalpels_exporter.declare import Lines, Logfmt, Tracer
from scalpels_exporter.intake.intake import Intake
from scalpels_exporter.intake.rejection import excerpt

MOST_SHOWN = 8
MOST_LINES = 10_000  # that are read again
MOST_BYTES = 64 * 1024  # of an unfinished line


class Examples:
    def __init__(self, tracer: Tracer) -> None:
        self._intake = Intake(tracer, tracer.series, time.time)
        self._lines_left = MOST_LINES if isinstance(tracer.runs.format, Lines | Logfmt) else 0
        self._shown: set[str] = set()
        self._part = b""

    def among(self, chunk: bytes) -> list[str]:
        """`reason: 'the line'` for each that is refused, has not been shown, and is not the first of its reason."""
        if not self._lines_left:
            return []
        *lines, rest = (self._part + chunk).split(b"\n")
        self._part = rest[:MOST_BYTES]
        found = []
        for line in lines[: self._lines_left]:
            self._lines_left -= 1
            before = dict(self._intake.rejected)
            self._intake.feed(line + b"\n")
            for reason, times in self._intake.rejected.items():
                shown = f"{reason}: {excerpt(line.decode('utf-8', 'replace'))}"
                if times > before.get(reason, 0) and shown not in self._shown:
                    self._shown.add(shown)
                    if reason in before:
                        found.append(shown)
            if len(self._shown) >= MOST_SHOWN:
                self._lines_left = 0
                break
        return found
