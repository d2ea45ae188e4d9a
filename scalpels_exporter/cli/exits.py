"""Exit statuses of every verb, and the error that carries one. Ends nothing itself: `boundary` does."""

from __future__ import annotations

OK = 0
FAILED = 1
USAGE = 2  # the command line or the configuration is wrong
UNSUPPORTED = 69  # EX_UNAVAILABLE: this host cannot run it
INTERRUPTED = 130  # Ctrl-C


class Problem(Exception):
    """What a user reads instead of a traceback: one line, or several of the same kind."""

    def __init__(self, text: str, status: int = FAILED) -> None:
        super().__init__(text)
        self.status = status
