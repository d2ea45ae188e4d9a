"""What a histogram gained between two moments: its buckets with their bounds, its quantiles. Pure; draws nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from scalpels_exporter.declare import Counts, Explicit, Exponential

SUB_BUCKETS = 4  # of each power of two


@dataclass(frozen=True, slots=True)
class Bucket:
    """`count` values in (low, high], in the metric's unit. `low` may be -inf or 0, `high` may be inf."""

    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Spread:
    """Ascending buckets from the first that is not empty to the last; the empty ones between them are there too."""

    buckets: tuple[Bucket, ...]
    sum: float
    geometric: bool  # how values lie within a bucket, for the quantiles: by ratio or evenly

    @property
    def count(self) -> int:
        return sum(bucket.count for bucket in self.buckets)

    def quantile(self, share: float) -> float:
        """By interpolation within its bucket; the finite bound of one that is open; NaN when there are no values."""
        rank = share * self.count
        if not rank:
            return math.nan
        for bucket in self.buckets:
            if bucket.count and rank <= bucket.count:
                return _within(bucket, rank / bucket.count, self.geometric)
            rank -= bucket.count
        return self.buckets[-1].high

    def by_powers(self) -> Spread:
        """The sub-buckets of each power of two as one: what the classic exposition shows, and enough for the eye."""
        if not self.geometric:
            return self
        counts: dict[int, int] = {}
        for bucket in self.buckets:
            if bucket.high > 0:
                power = math.ceil(math.log2(bucket.high) - 1e-9)
                counts[power] = counts.get(power, 0) + bucket.count
        listed = [bucket for bucket in self.buckets if bucket.high <= 0]
        if counts:
            powers = range(min(counts), max(counts) + 1)
            listed += [Bucket(2.0 ** (power - 1), 2.0**power, counts.get(power, 0)) for power in powers]
        return Spread(tuple(listed), self.sum, self.geometric)


def gained(before: Counts | None, now: Counts, buckets: Exponential | Explicit, *, coarse: bool = False) -> Spread:
    """`before` is None where the histogram began in between; `coarse` where only powers of two were told apart."""
    counts = {now.first + n: count for n, count in enumerate(now.counts)}
    for n, count in enumerate(before.counts if before else ()):
        counts[before.first + n] = counts.get(before.first + n, 0) - count  # type: ignore[union-attr]
    zero = now.zero - (before.zero if before else 0)
    total = now.sum - (before.sum if before else 0.0)
    if isinstance(buckets, Explicit):
        bounds = (-math.inf, *buckets.upper, math.inf)
        listed = [Bucket(bounds[i], bounds[i + 1], counts.get(i, 0)) for i in range(len(bounds) - 1)]
    else:
        used = [index for index, count in counts.items() if count > 0]
        listed = [Bucket(0.0, 0.0, zero)] if zero > 0 else []
        if used:
            listed += _exponential(counts, min(used), max(used), coarse)
    return Spread(tuple(_trimmed(listed)), total, isinstance(buckets, Exponential))


def _exponential(counts: dict[int, int], first: int, last: int, coarse: bool) -> Iterable[Bucket]:
    step = SUB_BUCKETS if coarse else 1
    for index in range(first, last + 1):
        if not coarse or counts.get(index, 0):
            low, high = 2.0 ** ((index - step) / SUB_BUCKETS), 2.0 ** (index / SUB_BUCKETS)
            yield Bucket(low, high, counts.get(index, 0))


def _trimmed(listed: list[Bucket]) -> list[Bucket]:
    used = [n for n, bucket in enumerate(listed) if bucket.count > 0]
    return listed[used[0] : used[-1] + 1] if used else []


def _within(bucket: Bucket, share: float, geometric: bool) -> float:
    if math.isinf(bucket.high):
        return bucket.low
    if math.isinf(bucket.low):
        return bucket.high if bucket.high <= 0 else share * bucket.high
    if geometric and bucket.low > 0:
        return float(bucket.low * (bucket.high / bucket.low) ** share)
    return bucket.low + share * (bucket.high - bucket.low)
