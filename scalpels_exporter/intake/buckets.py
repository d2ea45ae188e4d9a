"""The arithmetic of histogram states: which sub-bucket, whether one fell, their sum. Knows no metric's name."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from itertools import zip_longest
from operator import add, gt

from scalpels_exporter.declare import Counts, Explicit, Exponential

# The mantissas of 2**0, 2**(1/4), 2**(2/4), 2**(3/4) as frexp gives them.
MANTISSAS = (0.5, 2.0**-0.75, 2.0**-0.5, 2.0**-0.25)


def sub_bucket(value: float) -> int:
    """The index i with 2**((i-1)/4) < value <= 2**(i/4), for a finite value above 0.

    A power of two, the only bound that is exported, is exactly the last value of its sub-bucket: the mantissa is
    compared, no logarithm is rounded.
    """
    mantissa, exponent = math.frexp(value)
    return 4 * (exponent - 1) + bisect_left(MANTISSAS, mantissa)


def fell(before: Counts, now: Counts) -> bool:
    """Whether any sub-bucket of `now` holds less than `before` did, whatever their offsets are."""
    if now.zero < before.zero:
        return True
    shift = before.first - now.first
    if shift >= 0 and shift + len(before.counts) <= len(now.counts):
        return any(map(gt, before.counts, now.counts[shift:] if shift else now.counts))
    last = len(now.counts)
    return any(count > (now.counts[n] if 0 <= n < last else 0) for n, count in enumerate(before.counts, shift))


def total_of(states: Iterable[Counts]) -> Counts | None:
    """One histogram that holds all the observations of several; None of none."""
    result: Counts | None = None
    for state in states:
        result = state if result is None else _plus(result, state)
    return result


def _plus(a: Counts, b: Counts) -> Counts:
    if a.first == b.first:
        if len(a.counts) == len(b.counts):
            counts = list(map(add, a.counts, b.counts))
        else:
            counts = [x + y for x, y in zip_longest(a.counts, b.counts, fillvalue=0)]
        return Counts(a.sum + b.sum, counts, a.first, a.zero + b.zero)
    if not a.counts or not b.counts:
        filled = a if a.counts else b
        return Counts(a.sum + b.sum, filled.counts, filled.first, a.zero + b.zero)
    first = min(a.first, b.first)
    counts = [0] * (max(a.first + len(a.counts), b.first + len(b.counts)) - first)
    for state in (a, b):
        begin = state.first - first
        end = begin + len(state.counts)
        counts[begin:end] = map(add, counts[begin:end], state.counts)
    return Counts(a.sum + b.sum, counts, first, a.zero + b.zero)


class Buckets:
    """A histogram that the agent fills itself, observation by observation.

    With exponential buckets everything at or below the lowest bound shares one sub-bucket, everything above the
    highest another, so that a series has a fixed size whatever a worker prints.
    """

    __slots__ = ("_bounds", "_counts", "_first", "_sum", "_zero")

    def __init__(self, buckets: Exponential | Explicit) -> None:
        if isinstance(buckets, Exponential):
            self._bounds: tuple[float, ...] | None = None
            self._first = 4 * buckets.lowest
            self._counts = [0] * (4 * (buckets.highest - buckets.lowest) + 2)
        else:
            self._bounds = buckets.upper
            self._first = 0
            self._counts = [0] * (len(buckets.upper) + 1)
        self._sum = 0.0
        self._zero = 0

    def observe(self, value: float, times: int = 1) -> None:
        """Counts a finite value `times` times; the sum is added to apart, because a tool may print it exactly."""
        if self._bounds is not None:
            self._counts[bisect_left(self._bounds, value)] += times
        elif value <= 0:
            self._zero += times
        else:
            place = sub_bucket(value) - self._first
            self._counts[min(max(place, 0), len(self._counts) - 1)] += times

    def add_sum(self, amount: float) -> None:
        self._sum += amount

    def state(self) -> Counts:
        return Counts(self._sum, tuple(self._counts), self._first, self._zero)
