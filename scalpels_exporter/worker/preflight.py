"""What a worker says before it does anything: what this host lacks for its tracer. `needs` finds it."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from scalpels_exporter.config.settings import Chosen
from scalpels_exporter.needs import Lack, lacks

UNSUPPORTED = 69  # EX_UNAVAILABLE: this host cannot run me; never restarted


def say(level: str, text: str) -> None:
    """One line on stderr, which is the worker's log; `level` is E!, W!, I! or D!."""
    print(level, text, file=sys.stderr, flush=True)  # noqa: T201


def say_what_is_missing(chosen: Chosen) -> bool:
    """True when something is missing; it has been said then, with the cure."""
    missing = lacks(chosen.needed())
    if missing:
        say("E!", in_words(missing))
    return bool(missing)


def in_words(missing: Iterable[Lack]) -> str:
    return "; ".join(f"{lack.what} ({lack.cure})" if lack.cure else lack.what for lack in missing)
