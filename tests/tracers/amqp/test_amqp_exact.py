"""What the real agent counts of AMQP equals what clients and RabbitMQ count themselves, to the unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import pytest
from amqp_truth import MARK, Watched
from loads.load import AmqpLoad
from running import RunningAgent
from servers.rabbitmq_server import RabbitMq

pytestmark = [pytest.mark.root, pytest.mark.server]
SIZES = [0, 1, 60, 200, 3000, 131_064, 300_000]


@contextmanager
def load(client: str, broker: RabbitMq, agent: RunningAgent, until: Callable[..., object]) -> Iterator[AmqpLoad]:
    if find_spec(client) is None:
        pytest.skip(f"needs {client} (tools/setup.sh test)")
    until(lambda: not agent.value("scalpels_programs_processes", program="load"), 30, "the last load is gone")
    with AmqpLoad(client, broker.target(), MARK) as one:
        until(lambda: agent.value("scalpels_programs_processes", program="load") == 1, 30, "the load has its name")
        yield one


@pytest.mark.parametrize("confirm", [False, True], ids=["plain", "confirmed"])
def test_messages_of_pika_are_counted_at_both_ends(
    broker: RabbitMq, agent: RunningAgent, until: Callable[..., object], confirm: bool
) -> None:
    with load("pika", broker, agent, until) as one:
        there, watched = broker.messages(), Watched(agent)
        exchange = f"orders-{confirm}"
        report = one.do("exchange", exchange=exchange, queue=exchange, count=700, sizes=SIZES, confirm=confirm)
        seen, there = watched.after(), broker.messages() - there
    confirmed = Counter(confirm=700) if confirm else Counter[str]()
    assert seen.messages("load", "publish", "deliver", "ack") == report.messages
    assert seen.bytes("load", exchange=exchange) == report.bytes
    assert seen.messages("broker", "publish", "deliver") == Counter(publish=700, deliver=700)
    assert seen.bytes("broker", exchange=exchange) == report.bytes
    assert there["received"] == there["delivered"] == there["acknowledged"] == 700
    for program in ("load", "broker"):
        waited = seen.by("result", "scalpels_amqp_confirm_seconds_count", program=program)
        assert waited == Counter(confirmed=confirmed["confirm"])
    assert seen.lost() == Counter()


def test_what_is_refused_once_is_delivered_again(
    broker: RabbitMq, agent: RunningAgent, until: Callable[..., object]
) -> None:
    with load("kombu", broker, agent, until) as one:
        watched = Watched(agent)
        report = one.do("exchange", exchange="again", queue="again", count=300, sizes=SIZES)
        seen = watched.after()
    for program in ("load", "broker"):
        assert seen.messages(program, *report.messages) == report.messages
        assert seen.bytes(program) == report.bytes
        again = seen.by("exchange", "scalpels_amqp_redeliveries_total", program=program)
        assert again == Counter(again=report.redelivered)
        assert seen.by("program", "scalpels_amqp_ack_seconds_count", program=program)[program] == 600
    assert seen.lost() == Counter()


def test_returns_and_closed_channels_are_counted_by_their_code(
    broker: RabbitMq, agent: RunningAgent, until: Callable[..., object]
) -> None:
    with load("pika", broker, agent, until) as one:
        watched = Watched(agent)
        report = one.do("unrouted", exchange="lonely", count=20)
        closed = one.do("refused", queue="transient")
        seen = watched.after()
    for program in ("load", "broker"):
        assert seen.messages(program, "publish", "return") == report.messages
        assert seen.by("code", "scalpels_amqp_errors_total", program=program, what="return") == Counter({"312": 20})
        assert seen.by("code", "scalpels_amqp_errors_total", program=program, what="channel") == closed.codes
    assert seen.lost() == Counter()


def test_what_is_not_acknowledged_is_told_as_the_broker_tells_it(
    broker: RabbitMq, agent: RunningAgent, until: Callable[..., object]
) -> None:
    def owed(program: str) -> float:
        return agent.value("scalpels_amqp_unacknowledged", program=program) or 0

    with load("pika", broker, agent, until) as one:
        one.do("hold", queue="held", count=300, answered=120)
        one.do("hold", queue="held-too", count=200, answered=50, several=True)
        one.do("hold", queue="free", count=100, free=True)  # delivered, and nothing is due for it
        until(lambda: broker.unacknowledged() == 330, 30, "the broker has told its own truth")
        for program in ("load", "broker"):
            until(lambda program=program: owed(program) == 330, 10, f"{program} owes 330")
        one.do("let_go")
        for program in ("load", "broker"):
            until(lambda program=program: owed(program) == 0, 10, f"{program} owes nothing")
