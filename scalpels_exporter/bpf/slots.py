"""Which sub-bucket of an exponential histogram a whole number falls into: the numbers behind the C of scalpels.h.

A sub-bucket i holds the values in (2**((i-1)/4), 2**(i/4)] of the metric's unit. The kernel measures whole
nanoseconds (or whole bytes …). Shifted so that its highest bit is bit 63, a value's mantissa is compared with four
limits, the same in every octave; each limit is the whole part of the exact bound, and a whole number is at or below
a bound exactly when it is at or below its whole part. So nothing is rounded, wherever a value lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

from scalpels_exporter.declare import Exponential

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Scale:
    """`one` is the unit of the metric in the unit that the kernel measures in: 10**9 for seconds, 1 for bytes."""

    limits: tuple[int, int, int, int]  # ascending, in [2**63, 2**64)
    lift: int  # index = 4 * (position of the highest bit) + lift + how many limits the mantissa is above


def scale(one: int) -> Scale:
    octave = one.bit_length() - 1
    found = []
    for index in range(-4, 5):  # all sub-bucket bounds near `one`; four of them lie in [2**octave, 2**(octave+1))
        bound = _fourth_root(index + 4 * (63 - octave), one)
        if 1 << 63 <= bound < 1 << 64:
            found.append((bound, index))
    (first, lowest), *_ = found
    limits = tuple(bound for bound, _ in found[:4])
    assert len(limits) == 4
    assert first == limits[0]
    return Scale((limits[0], limits[1], limits[2], limits[3]), lowest - 4 * octave)


def _fourth_root(quarters: int, one: int) -> int:
    """The whole part of one * 2**(quarters/4), exact."""
    return isqrt(isqrt(one**4 << quarters)) if quarters >= 0 else isqrt(isqrt(one**4 >> -quarters))


SECONDS = scale(NANOSECONDS)
PLAIN = scale(1)


def slots(buckets: Exponential) -> int:
    """How many a histogram has: one at or below the lowest bound, one for each sub-bucket, one above the highest."""
    return 4 * (buckets.highest - buckets.lowest) + 2


def slot_of(value: int, of: Scale, buckets: Exponential) -> int:
    """The twin of `slot_of` in scalpels.h, step by step the same."""
    if value <= 0:
        return 0
    exponent = value.bit_length() - 1
    mantissa = value << (63 - exponent)
    index = 4 * exponent + of.lift + sum(mantissa > limit for limit in of.limits) - 4 * buckets.lowest
    return max(0, min(index, slots(buckets) - 1))
