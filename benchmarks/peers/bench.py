"""The tracer of benchmarks/exposition.py: histograms of which every number changes at every tick. Measures nothing."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from scalpels_exporter.declare import Context, Counts, Exponential, Generator, Histogram, Sample, Tracer

SERIES = 5882  # of 15 buckets, a count and a sum: 99,994 samples
NAME = "scalpels_bench_seconds"
BUCKETS = Exponential(-10, 3)  # 14 bounds and +Inf

TRACER = Tracer(
    name="bench",
    help="A benchmark's histograms.",
    metrics=(
        Histogram(NAME, "A benchmark's histogram.", ("program", "fstype", "operation"), "seconds", buckets=BUCKETS),
    ),
    runs=Generator(),
    series=SERIES + 100,
    overhead="it is overhead",
)


def labels(n: int) -> tuple[str, str, str]:
    return f"program-{n % 60}", f"ext{n // 60 % 10}", f"operation-{n // 600}"


def snapshots(_: Context) -> Iterator[Sequence[Sample]]:
    dice = random.Random(1)
    first, size = 4 * BUCKETS.lowest - 1, 4 * (BUCKETS.highest - BUCKETS.lowest) + 2
    states = [[dice.randint(1, 70) for _ in range(size)] for _ in range(SERIES)]
    sums = [dice.uniform(0, 1000) for _ in range(SERIES)]
    while True:
        growth = [dice.randint(1, 3) for _ in range(2 * size)]
        for n, state in enumerate(states):
            shift = dice.randrange(size)
            states[n] = [count + more for count, more in zip(state, growth[shift:], strict=False)]
            sums[n] += dice.uniform(0, 10)
        yield [(NAME, labels(n), Counts(sums[n], states[n], first)) for n in range(SERIES)]
