"""What the real agent counts of RPC equals what clients, servers and the broker count themselves, to the unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from callers import lost
from loads.oslo_rpc import NAMESPACE
from rpc_truth import Watched, known, rpc, settings
from running import RunningAgent
from servers.rabbitmq_server import RabbitMq

pytestmark = [pytest.mark.root, pytest.mark.server]
SERVERS = 3
DURABLE = {"amqp_durable_queues": True}
QUORUM = {**DURABLE, "rabbit_quorum_queue": True}
STREAM = {
    **QUORUM,
    "rabbit_transient_quorum_queue": True,
    "rabbit_stream_fanout": True,
    "rabbit_qos_prefetch_count": 10,
}
QUEUES: dict[str, dict[str, Any]] = {"durable": DURABLE, "quorum": QUORUM, "stream": STREAM}
# Bytes of the arguments, in the shares of a calm control plane: one in 200 has a megabyte.
SIZES = [100] * 90 + [1000] * 80 + [5000] * 20 + [20_000] * 7 + [200_000] * 2 + [1_000_000]
MANY = {"calls": 20_000, "casts": 20_000, "fanouts": 2_000}


def test_every_call_cast_and_fanout_is_counted_at_all_ends(
    broker: RabbitMq,
    kernel_programs: None,
    start_agent: Callable[..., RunningAgent],
    until: Callable[..., object],
) -> None:
    with rpc(broker, servers=SERVERS) as ends:
        ends.run(calls=100, workers=15)  # connections that are older than the agent
        ends.served()
        agent = start_agent(settings(broker))
        until(lambda: agent.value("scalpels_worker_up", tracer="rpc") == 1, 60, "rpc is up")
        known(agent, until, client=1, server=SERVERS, broker=1)
        received = broker.messages()
        watched = Watched(agent)
        report = ends.run(**MANY, workers=50, sizes=SIZES, context=1500)
        served = Counter[str]()
        many = report.call.total() + report.cast.total() + SERVERS * report.fanout.total()

        def all_is_served() -> bool:
            served.update(ends.served())
            return served.total() >= many

        until(all_is_served, 60, "all casts are worked on")
        seen = watched.after()
        received = broker.messages() - received
    assert report.failed == Counter()
    assert seen.calls("client", program="client") == report.call
    assert seen.calls("server", program="server") == report.call
    for leg in ("request", "reply"):
        assert seen.calls("broker", program="broker", leg=leg) == report.call
    for side in ("client", "broker"):
        assert seen.messages(side, "call") == report.call
        assert seen.messages(side, "cast") == report.cast
        assert seen.messages(side, "fanout") == report.fanout
    assert seen.messages("server", "call", "cast", "fanout") == served
    by_method = seen.by("method", "scalpels_amqp_messages_total", program="broker")
    assert by_method["publish"] == received["received"]
    assert by_method["deliver"] == received["delivered"]
    assert by_method["ack"] == received["acknowledged"]
    assert lost(agent) == {}


def test_eventlet_is_counted_as_threads_are(
    broker: RabbitMq, agent: RunningAgent, until: Callable[..., object]
) -> None:
    with rpc(broker, "eventlet") as ends:
        known(agent, until, client=1, server=1)
        watched = Watched(agent)
        report = ends.run(calls=1000, casts=200, workers=50, context=500)
        seen = watched.after()
        assert report.failed == Counter()
        assert seen.calls("client", program="client") == seen.calls("server", program="server") == report.call
        assert seen.messages("server", "call", "cast") == ends.served() == report.sent
    assert lost(agent) == {}


def test_the_methods_of_a_namespace_are_told_apart_at_all_ends(
    broker: RabbitMq, agent: RunningAgent, until: Callable[..., object]
) -> None:
    with rpc(broker) as ends:
        known(agent, until, client=1, server=1)
        watched = Watched(agent)
        plain = ends.run(calls=200, casts=50, workers=10, sizes=SIZES, context=1500)
        spaced = ends.run(calls=200, casts=50, workers=10, sizes=SIZES, context=1500, namespace=NAMESPACE)
        served = ends.served()

        def all_is_served() -> bool:
            served.update(ends.served())
            return served.total() >= 500

        until(all_is_served, 30, "all casts are worked on")
        seen = watched.after()
    calls, casts = plain.call + inside(spaced.call), plain.cast + inside(spaced.cast)
    assert seen.calls("client", program="client") == seen.calls("server", program="server") == calls
    for leg in ("request", "reply"):
        assert seen.calls("broker", program="broker", leg=leg) == calls
    for side in ("client", "server", "broker"):
        assert seen.messages(side, "cast") == casts
    assert seen.messages("server", "call", "cast") == served
    assert lost(agent) == {}


def inside(methods: Counter[str]) -> Counter[str]:
    """As the label says it."""
    return Counter({f"{NAMESPACE}.{method}": many for method, many in methods.items()})


@pytest.mark.parametrize("queues", QUEUES)
def test_the_kind_of_the_queues_does_not_matter(
    broker: RabbitMq, agent: RunningAgent, until: Callable[..., object], queues: str
) -> None:
    with rpc(broker, exchange=queues, **QUEUES[queues]) as ends:  # an exchange of its own: it is declared otherwise
        known(agent, until, client=1, server=1)
        watched = Watched(agent)
        report = ends.run(calls=200, fanouts=20, workers=5)
        seen = watched.after()
        assert report.failed == Counter()
        assert seen.calls("client", program="client") == seen.calls("server", program="server") == report.call
        assert seen.messages("server", "fanout") == report.fanout
    assert lost(agent) == {}
