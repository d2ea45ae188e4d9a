"""How much of the agent's CPU the reading of one worker may cost: a burst, and a share of the time after it."""

from __future__ import annotations

import time
from collections.abc import Callable

CPU_SHARE = 0.1
CPU_BURST_SECONDS = 1.0  # a large honest snapshot fits in


class Allowance:
    """A bucket of CPU seconds that fills by CPU_SHARE of the time that `clock` shows."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.spent = 0.0
        self._clock = clock
        self._left = CPU_BURST_SECONDS
        self._at = clock()

    def spend(self, seconds: float) -> float:
        """Takes CPU seconds out; the seconds to wait until there are some again, 0 while there are."""
        now = self._clock()
        earned = max(0.0, now - self._at) * CPU_SHARE
        self._at = now
        self.spent += seconds
        self._left = min(CPU_BURST_SECONDS, self._left + earned) - seconds
        return max(0.0, -self._left / CPU_SHARE)
