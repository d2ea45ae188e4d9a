"""What goes wrong between client, broker and server shows in the right metric, in the right number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from callers import lost
from rpc_truth import TOPIC, Watched, known, rpc
from running import RunningAgent
from servers.rabbitmq_server import RabbitMq

pytestmark = [pytest.mark.root, pytest.mark.server]
UNANSWERED, LATE = "scalpels_rpc_unanswered_total", "scalpels_rpc_late_replies_total"
FAILURES, IN_FLIGHT = "scalpels_rpc_failures_total", "scalpels_rpc_calls_in_flight"


def test_exceptions_are_failures_by_their_class_at_both_ends(
    broker: RabbitMq, agent: RunningAgent, until: Callable[..., object]
) -> None:
    with rpc(broker) as ends:
        known(agent, until, client=1, server=1)
        watched = Watched(agent)
        ends.run(calls=5, fails="ValueError", methods=["ping"])
        ends.run(calls=3, fails="Expected", methods=["ping"])
        ends.run(calls=2, methods=["ping"])
        seen = watched.after()
    for program in ("client", "server"):
        assert seen.by("exception", FAILURES, program=program, method="ping") == Counter(ValueError=5, Expected=3)
        assert seen.calls(program, program=program) == Counter(ping=10)


def test_a_reply_after_the_clients_timeout_is_late_and_no_time_of_the_clients(
    broker: RabbitMq, agent: RunningAgent, until: Callable[..., object]
) -> None:
    with rpc(broker) as ends:
        known(agent, until, client=1, server=1)
        watched = Watched(agent)
        report = ends.run(calls=3, workers=3, sleep=3, timeout=1, methods=["ping"])
        assert report.failed == Counter(MessagingTimeout=3)
        until(lambda: agent.value(LATE, program="client", side="client", method="ping") == 3, 10, "the replies came")
        seen = watched.after()
    for side in ("client", "server"):
        assert seen.by("method", UNANSWERED, program=side, side=side) == Counter(ping=3)
        assert seen.by("method", LATE, program=side, side=side) == Counter(ping=3)
    assert seen.calls("client", program="client") == Counter()
    assert seen.calls("server", program="server") == Counter(ping=3)
    assert seen.by("program", "scalpels_rpc_unawaited_replies_total") == Counter()


def test_calls_to_a_server_that_dies_and_to_a_queue_without_one_are_unanswered(
    broker: RabbitMq, agent: RunningAgent, until: Callable[..., object]
) -> None:
    with rpc(broker) as ends:
        known(agent, until, client=1, server=1)
        watched = Watched(agent)
        ends.client.say("run", topic=TOPIC, calls=3, workers=3, sleep=60, timeout=3, methods=["ping"])
        until(lambda: agent.value(IN_FLIGHT, program="server", side="server") == 3, 10, "the server works on three")
        assert agent.value(IN_FLIGHT, program="client", side="client") == 3
        ends.servers[0].kill()
        assert ends.client.hear().failed == Counter(MessagingTimeout=3)
        report = ends.run(calls=2, timeout=1, methods=["get_ports"])
        assert report.failed == Counter(MessagingTimeout=2)
        until(lambda: agent.value(UNANSWERED, program="client", side="client", method="get_ports") == 2, 10, "swept")
        seen = watched.after()
        assert agent.value(IN_FLIGHT, program="client", side="client") == 0
    assert seen.by("method", UNANSWERED, program="client") == Counter(ping=3, get_ports=2)
    assert seen.by("method", UNANSWERED, program="server") == Counter(ping=3)
    assert seen.by("method", UNANSWERED, program="broker") == Counter(get_ports=2)
    assert seen.calls("client", program="client") == seen.calls("server", program="server") == Counter()


def test_counts_go_on_after_the_broker_was_gone(
    broker: RabbitMq, agent: RunningAgent, until: Callable[..., object]
) -> None:
    with RabbitMq() as other, rpc(other) as ends:
        known(agent, until, client=1, server=1)
        ends.run(calls=20, workers=5)
        other.restart()
        until(lambda: other.connections() >= 2, 30, "clients and servers are back")
        ends.run(calls=5)
        ends.served()
        watched = Watched(agent)
        report = ends.run(calls=200, workers=5)
        seen = watched.after()
        assert report.failed == Counter()
        assert seen.calls("client", program="client") == report.call == ends.served()
        assert seen.calls("server", program="server") == report.call
    assert lost(agent) == {}


def test_calls_that_the_broker_takes_with_it_are_unanswered_and_all_others_are_timed(
    broker: RabbitMq, agent: RunningAgent, until: Callable[..., object]
) -> None:
    """It dies while the server works on them: some replies find their way once it is back, others do not."""
    with RabbitMq() as other, rpc(other) as ends:
        known(agent, until, client=1, server=1)
        ends.run(calls=20, workers=5)
        watched = Watched(agent)
        ends.client.say("run", topic=TOPIC, calls=5, workers=5, sleep=4, timeout=15, methods=["ping"])
        until(lambda: agent.value(IN_FLIGHT, program="server", side="server") == 5, 10, "the server works on all")
        other.restart()
        report = ends.client.hear()
        missed = report.failed["MessagingTimeout"]
        until(lambda: not agent.value(IN_FLIGHT, program="client", side="client"), 10, "none is waited for any more")
        seen = watched.after()
    assert report.failed == +Counter(MessagingTimeout=missed)
    assert seen.by("method", UNANSWERED, program="client") == +Counter(ping=missed)
    assert seen.calls("client", program="client") == +Counter(ping=5 - missed)
    assert lost(agent) == {}
