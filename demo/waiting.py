"""Waiting for what must come to be, while those who bring it about live. The one place of the demo that waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from demo.children import Child, Trouble

T = TypeVar("T")
EVERY = 0.2


def wait_for(condition: Callable[[], T], seconds: float, what: str, *children: Child) -> T:
    """What the condition gave, once that is true. An OSError in it means: not yet. Trouble when a child ends, or the
    time is over."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = condition()
            if found:
                return found
        except OSError:
            pass
        for child in children:
            child.check()
        if time.monotonic() > deadline:
            raise Trouble(f"not within {seconds:g} s: {what}")
        time.sleep(EVERY)


def wait(seconds: float, *children: Child) -> None:
    """So long, while these live."""
    end = time.monotonic() + seconds
    wait_for(lambda: time.monotonic() >= end, seconds + 60, "time passes", *children)
