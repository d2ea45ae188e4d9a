"""RPC over TLS is counted as RPC without: both ends are Python and use libssl. RabbitMQ has its own; it is not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec

import pytest
from callers import lost
from rpc_truth import Rpc, Watched, known, rpc, settings
from running import RunningAgent, wait_until
from servers.rabbitmq_server import RabbitMq

pytestmark = [pytest.mark.root, pytest.mark.server]
SIZES = [100] * 8 + [1000] * 8 + [20_000, 200_000]


@pytest.fixture(scope="module")
def broker() -> Iterator[RabbitMq]:
    if find_spec("oslo_messaging") is None:
        pytest.skip("needs oslo.messaging (tools/setup.sh test)")
    with RabbitMq(tls=True) as server:
        yield server


@pytest.fixture(scope="module")
def agent(kernel_programs: None, broker: RabbitMq, agent_of_module: Callable[..., RunningAgent]) -> RunningAgent:
    return agent_of_module(settings(broker, "wire: {tls: true}"), "rpc")


@pytest.fixture(scope="module", params=["threading", "eventlet"])
def ends(broker: RabbitMq, agent: RunningAgent, request: pytest.FixtureRequest) -> Iterator[Rpc]:
    with rpc(broker, request.param) as found:
        known(agent, wait_until, client=1, server=1)
        wait_until(lambda: (agent.value("scalpels_wire_tls_files") or 0) >= 1, 10, "libssl has its probes")
        yield found


def test_calls_casts_and_fanouts_are_counted_at_both_ends(ends: Rpc, agent: RunningAgent) -> None:
    ends.run(calls=30, workers=5)
    ends.served()
    watched = Watched(agent)
    report = ends.run(calls=1000, casts=300, fanouts=50, workers=20, sizes=SIZES, context=1500)
    served = ends.served()
    wait_until(lambda: served.update(ends.served()) or served.total() >= report.sent.total(), 30, "all are served")
    seen = watched.after()
    assert not report.failed
    assert seen.calls("client", program="client") == seen.calls("server", program="server") == report.call
    assert seen.messages("client", "cast") == report.cast
    assert seen.messages("client", "fanout") == report.fanout
    assert seen.messages("server", "call", "cast", "fanout") == report.sent == served
    assert lost(agent) == {}


def test_the_broker_which_encrypts_by_itself_is_not_seen(ends: Rpc, agent: RunningAgent) -> None:
    watched = Watched(agent)
    report = ends.run(calls=20)
    seen = watched.after()
    assert seen.calls("client", program="client") == report.call
    assert not seen.calls("broker", program="broker")
    assert not seen.by("method", "scalpels_amqp_messages_total", program="broker")
