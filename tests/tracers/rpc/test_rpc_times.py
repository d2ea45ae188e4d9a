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
SLOWNESS = 0.004  # seconds for a delivery


def buckets(found: Series, name: str, **labels: str) -> dict[float, float]:
    """Bound → observations at or below it."""
    wanted = set(labels.items()) | {("method", "ping")}
    return {
        float(dict(pairs)["le"]): value
        for (sample, pairs), value in found.items()
        if sample == f"{name}_bucket" and wanted <= set(pairs)
    }


def quantile(counts: dict[float, float], share: float) -> float:
    """The bound of the bucket that it lies in."""
    return min(bound for bound, count in counts.items() if count >= share * counts[math.inf])


def same_quantiles(before: Series, after: Series, name: str, took: list[float], **labels: str) -> None:
    """Each lies within one bucket of that of `took`, in seconds."""
    old = buckets(before, name, **labels)
    gained = {bound: count - old.get(bound, 0) for bound, count in buckets(after, name, **labels).items()}
    assert gained[math.inf] == len(took)
    for share in QUANTILES:
        truth = sorted(took)[max(0, math.ceil(share * len(took)) - 1)]
        assert abs(math.log2(quantile(gained, share)) - math.ceil(math.log2(truth))) <= 1, (labels, share, truth)


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
        assert len(took[end]) == sum(THINKING.values())
        same_quantiles(before, after, name, took[end], program=end)


@pytest.mark.parametrize("leg", ["request", "reply"])
def test_the_brokers_times_are_those_between_the_ends(
    broker: RabbitMq, agent: RunningAgent, until: Callable[..., object], leg: str
) -> None:
    """Who takes a message at a time, and its time for it, lets all others wait in the queue: for longer than what both
    ends do between the wire and their own clock."""
    slow = (0, SLOWNESS) if leg == "request" else (SLOWNESS, 0)
    with rpc(broker, slow=slow, rabbit_qos_prefetch_count=1) as ends:
        known(agent, until, client=1, server=1)
        before = series_of(agent, "scalpels_rpc")
        sent = ends.run(calls=1000, workers=30, methods=["ping"])
        served = ends.servers[0].do("counted")
        after = settled(agent, "scalpels_rpc")
    left, came = (sent.left, served.came) if leg == "request" else (served.left, sent.came)
    took = [(came[one] - at) / 1e9 for one, at in left.items() if one in came]
    assert len(took) == 1000
    assert sorted(took)[500] > 5 * SLOWNESS
    same_quantiles(before, after, "scalpels_rpc_broker_seconds", took, program="broker", leg=leg)
