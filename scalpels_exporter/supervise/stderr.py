"""One line of a worker's stderr: its level, by the two letters that it may begin with, and its text."""

from __future__ import annotations

import logging

_LEVELS = {"E!": logging.ERROR, "W!": logging.WARNING, "I!": logging.INFO, "D!": logging.DEBUG}


def level_and_text(line: str) -> tuple[int, str]:
    level = _LEVELS.get(line[:2])
    return (logging.INFO, line) if level is None else (level, line[2:].strip())
