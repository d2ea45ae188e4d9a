"""Weeks of a histogram's series, as promtool takes them: made from how many calls there are and how long they take."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

MINUTE, HOUR, DAY = 60, 3600, 86400
BOUNDS = tuple(2.0**k for k in range(-14, 3))
# Share of the calls → how long they take, as multiples of the mean: 1 in 50 is six times as slow.
SHAPE = ((0.50, 0.50), (0.30, 1.00), (0.14, 1.60), (0.04, 2.20), (0.02, 6.19))

Of = Callable[[float], float]  # of the time in seconds since the beginning, a Monday at midnight


@dataclass(frozen=True)
class Traffic:
    """`rate` calls a second that take `mean` seconds; `noise` is the share by which each scrape's mean is off."""

    rate: Of
    mean: Of
    noise: float = 0.0
    slow: Of = lambda _: 1.0  # what the slowest in fifty take, as a multiple of what they usually take


def daily(low: float, high: float, weekend: float = 1.0) -> Of:
    """Lowest at four in the night, highest at four in the afternoon; on Saturday and Sunday times `weekend`."""

    def value(t: float) -> float:
        swing = (1 - math.cos(2 * math.pi * (t - 4 * HOUR) / DAY)) / 2
        return (low + (high - low) * swing) * (weekend if int(t // DAY) % 7 >= 5 else 1.0)

    return value


def histogram(
    name: str, labels: Mapping[str, str], traffic: Traffic, seconds: float, step: int
) -> list[dict[str, str]]:
    """`input_series` of promtool: the buckets, the sum and the count, a value for each `step` seconds."""
    chance = random.Random(7)
    total, count = 0.0, 0.0
    buckets = [0.0] * len(BOUNDS)
    lines: list[list[str]] = [[] for _ in range(len(BOUNDS) + 2)]
    for n in range(int(seconds // step) + 1):
        t = n * step
        calls = traffic.rate(t) * step
        mean = traffic.mean(t) * (1 + traffic.noise * chance.uniform(-1, 1))
        for share, times in SHAPE:
            took = mean * times * (traffic.slow(t) if times > 6 else 1.0)
            total += calls * share * took
            for place, bound in enumerate(BOUNDS):
                if took <= bound:
                    buckets[place] += calls * share
        count += calls
        for line, value in zip(lines, (*buckets, total, count), strict=True):
            line.append(f"{value:.12g}")
    inner = ",".join(f'{key}="{value}"' for key, value in labels.items())
    names = [f'{name}_bucket{{{inner},le="{bound:g}"}}' for bound in BOUNDS]
    names += [f"{name}_sum{{{inner}}}", f"{name}_count{{{inner}}}"]
    found = [{"series": one, "values": " ".join(values)} for one, values in zip(names, lines, strict=True)]
    # What no call ever fell into tells nothing, and the infinite bucket is the count.
    return [*found, {"series": f'{name}_bucket{{{inner},le="+Inf"}}', "values": found[-1]["values"]}]
