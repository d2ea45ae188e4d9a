"""Which few of many have series of their own: those that weigh most lately. Pure; what weighs what is told to it.

Sticky: who has a place keeps it until somebody without one weighs twice as much, so that series do not come and go.
"""

from __future__ import annotations

from collections.abc import Mapping

HALF_LIFE_SECONDS = 600.0  # of what was weighed
TIMES_AS_MUCH = 2.0


class Leaders:
    """`most` places. As many are remembered as were ever told of."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._weights: dict[int, float] = {}
        self._leading: set[int] = set()
        self._at = 0.0

    def __contains__(self, one: int) -> bool:
        return one in self._leading

    def weigh(self, gained: Mapping[int, float], now: float) -> None:
        """What each has gained since the last time; `now` in seconds, of any clock that goes on."""
        faded = 0.5 ** ((now - self._at) / HALF_LIFE_SECONDS) if self._at else 1.0
        self._at = now
        for one in self._weights:
            self._weights[one] *= faded
        for one, more in gained.items():
            self._weights[one] = self._weights.get(one, 0.0) + more
        waiting = sorted(self._weights.keys() - self._leading, key=self._weight)
        while waiting and len(self._leading) < self._most:
            self._leading.add(waiting.pop())
        leading = sorted(self._leading, key=self._weight, reverse=True)
        while waiting and leading and self._weight(waiting[-1]) > TIMES_AS_MUCH * self._weight(leading[-1]):
            self._leading.remove(leading.pop())
            self._leading.add(waiting.pop())

    def _weight(self, one: int) -> float:
        return self._weights[one]
