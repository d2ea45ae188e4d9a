"""The peer of benchmarks/exposition.py: prometheus_client's histograms and its generate_latest.

For each line `text` or `openmetrics`, with or without ` gzip`, on stdin: every number is changed, then one exposition
is made; printed are the CPU seconds of making it alone (no HTTP, no intake) and its bytes.
"""

from __future__ import annotations

import gzip
import random
import sys
import time

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from benchmarks.peers.bench import BUCKETS, SERIES, labels


def main() -> None:
    registry = CollectorRegistry()
    vector = Histogram(
        "scalpels_bench_seconds",
        "A benchmark's histogram.",
        ("program", "fstype", "operation"),
        registry=registry,
        buckets=BUCKETS.bounds(),
    )
    children = [vector.labels(*labels(n)) for n in range(SERIES)]
    dice = random.Random(1)
    for child in children:
        for _ in range(50):
            child.observe(2.0 ** dice.randint(-11, 4))
    for line in sys.stdin:
        form, _, encoding = line.strip().partition(" ")
        for child in children:
            child.observe(2.0**-11)  # below the lowest bound: every cumulative count grows
            child.observe(2.0 ** dice.randint(-10, 4))
        start = time.process_time()
        page: bytes = generate_latest(registry) if form == "text" else generate_openmetrics(registry)  # type: ignore[no-untyped-call]
        if encoding:
            page = gzip.compress(page)  # at its default level, as its own server does
        print(time.process_time() - start, len(page), flush=True)


main()
