"""A token bucket for rate_limit: one request an interval, and a burst. Counts nothing else."""

from __future__ import annotations


class Bucket:
    """`interval` in seconds, 0 for no limit; `burst` is the greatest number of requests at once. `now` is monotonic."""

    def __init__(self, interval: float, burst: int) -> None:
        self.interval = interval
        self.burst = burst
        self._tokens = float(burst)
        self._filled: float | None = None

    def wait(self, now: float) -> float:
        """Takes a token and gives 0.0, or gives the seconds until there is one."""
        if not self.interval:
            return 0.0
        if self._filled is not None:
            self._tokens = min(self.burst, self._tokens + (now - self._filled) / self.interval)
        self._filled = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) * self.interval
