"""The times that the real agent shows of calls are those that clients and servers have measured themselves."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from callers import Series, series_of, settled
from rpc_truth import known, rpc
from running import RunningAgent
from servers.rabbitmq_server import RabbitMq

pytestmark = [pytest.mark.root, pytest.mark.server]
# Seconds that the server sleeps → how often. Less than these are the client's own code as much as the wire.
THINKING = {0.02: 30, 0.06: 20, 0.25: 6, 1.2: 1}
QUANTILES = (0.5, 0.9, 0.99)


def buckets(found: Series, name: str, program: str) -> dict[float, float]:
    """Bound → observations at or below it."""
    return {
        float(dict(labels)["le"]): value
        for (sample, labels), value in found.items()
        if sample == f"{name}_bucket" and {("program", program), ("method", "ping")} <= set(labels)
    }


def quantile(counts: dict[float, float], share: float) -> float:
    """The bound of the bucket that it lies in."""
    return min(bound for bound, count in counts.items() if count >= share * counts[math.inf])


def test_quantiles_are_within_one_bucket_of_what_both_ends_measured(
    broker: RabbitMq, agent: RunningAgent, until: Callable[..., object]
) -> None:
    names = {"client": "scalpels_rpc_client_seconds", "server": "scalpels_rpc_server_seconds"}
    with rpc(broker) as ends:
        known(agent, until, client=1, server=1)
        before = series_of(agent, "scalpels_rpc")
        took = {"client": list[float](), "server": list[float]()}
        for seconds, times in THINKING.items():
            report = ends.run(calls=times, sleep=seconds, methods=["ping"])
            took["client"] += [nanoseconds / 1e9 for _, nanoseconds in report.times]
        took["server"] += [nanoseconds / 1e9 for _, nanoseconds in ends.servers[0].do("counted").times]
        after = settled(agent, "scalpels_rpc")
    for end, name in names.items():
        old = buckets(before, name, end)
        gained = {bound: count - old.get(bound, 0) for bound, count in buckets(after, name, end).items()}
        assert gained[math.inf] == len(took[end]) == sum(THINKING.values())
        for share in QUANTILES:
            truth = sorted(took[end])[max(0, math.ceil(share * len(took[end])) - 1)]
            assert abs(math.log2(quantile(gained, share)) - math.ceil(math.log2(truth))) <= 1, (end, share)
