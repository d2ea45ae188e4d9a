"""Calls over socket pairs, and what the tracer must show of them under every kernel (tests/kernels)."""

import runpy
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

PARAMETERS: dict[str, Any] = {"patience": 1}
amqp = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "amqp" / "frames.py")))
CALLS, LONG, FAILED, CASTS, FANOUTS = range(10), range(10, 14), range(20, 23), 6, 2
EVENT = "compute.instance.create.end"
LATE, NEVER, ASTRAY, TWICE, EARLY, SPACED = 30, 31, 32, 33, 34, 35


class Broker:
    """Hands on what a client publishes and a server answers; all ends are of one program."""

    def __init__(self) -> None:
        self.client, self._from_client = socket.socketpair()
        self.server, self._to_server = socket.socketpair()
        for one, other in ((self.client, self._from_client), (self.server, self._to_server)):
            self._pass(one, other, amqp.PREAMBLE)

    @staticmethod
    def _pass(one: socket.socket, other: socket.socket, data: bytes) -> None:
        for piece in (data[at : at + 50_000] for at in range(0, len(data), 50_000)):
            one.sendmsg([piece[:30], piece[30:]])
            left = len(piece)
            while left:
                left -= len(other.recv(min(left, 3000)))

    def send(self, body: bytes, exchange: str = "openstack", expires: str = "") -> None:
        self._pass(self.client, self._from_client, amqp.publish(body, exchange, expires=expires))

    def ask(self, body: bytes, exchange: str = "openstack", expires: str = "") -> None:
        self.send(body, exchange, expires)
        self._pass(self._to_server, self.server, amqp.deliver(body, exchange=exchange, expires=expires))

    def answer(self, body: bytes) -> None:
        self._pass(self.server, self._to_server, amqp.publish(body, ""))
        self.tell(body)

    def tell(self, body: bytes) -> None:
        self._pass(self._from_client, self.client, amqp.deliver(body, exchange=""))


def work() -> None:
    broker = Broker()
    broker.ask(amqp.request("late", LATE), expires="1")
    for number in CALLS:
        broker.ask(amqp.request("ping", number), expires="60000")
        broker.answer(amqp.reply(number, ending=False))
        broker.answer(amqp.reply(number, filling=100))
    for number in LONG:
        broker.ask(amqp.request("build", number, filling=40_000 * (number - 9), context=3000))
        broker.answer(amqp.reply(number, filling=200_000))
    for number in FAILED:
        broker.ask(amqp.request("ping", number))
        broker.answer(amqp.reply(number, "ValueError", filling=3000))
    for _ in range(CASTS):
        broker.ask(amqp.request("tell"))
    broker.ask(amqp.request("tell", namespace="a_space"))
    broker.ask(amqp.request("ping", SPACED, filling=3000, namespace="a_space"))
    broker.answer(amqp.reply(SPACED))
    for _ in range(FANOUTS):
        broker.ask(amqp.request("tell"), "compute_fanout")
    for priority in ("INFO", "ERROR"):
        broker.ask(amqp.notification(EVENT, priority), "nova")
    broker.answer(amqp.reply(LATE))
    broker.ask(amqp.request("never", NEVER), expires="1")
    broker.tell(amqp.reply(ASTRAY))
    broker.ask(amqp.request("twice", TWICE))
    broker.ask(amqp.request("twice", TWICE))
    broker.answer(amqp.reply(TWICE))
    broker.tell(amqp.reply(EARLY))  # its call is seen to be sent after it: a send is seen when it returns
    broker.send(amqp.request("ping", EARLY))
    broker.ask(b'{"no": "envelope"}')


READ = len(CALLS) + len(FAILED)
DONE = {"ping": READ, "build": len(LONG), "twice": 1, "a_space.ping": 1}
SENT = {**DONE, "late": 1, "never": 1, "twice": 2}
COUNTS = {
    **{
        f'scalpels_rpc_client_seconds_count{{method="{method}"}}': many
        for method, many in (DONE | {"ping": READ + 1}).items()
    },
    **{
        f'scalpels_rpc_server_seconds_count{{method="{method}"}}': many for method, many in (DONE | {"late": 1}).items()
    },
    **{
        f'scalpels_rpc_broker_seconds_count{{leg="{leg}",method="{method}"}}': many
        for leg, others in (("request", {"late": 1, "never": 1}), ("reply", {"late": 1}))
        for method, many in (DONE | others).items()
    },
    **{
        f'scalpels_rpc_messages_total{{side="{side}",kind="{kind}",method="{method}"}}': many
        for side, called in (
            ("client", SENT | {"ping": READ + 1}),
            ("server", SENT),
            ("broker", SENT | {"ping": READ + 1}),
        )
        for kind, sent in (
            ("call", called),
            ("cast", {"tell": CASTS, "a_space.tell": 1}),
            ("fanout", {"tell": FANOUTS}),
        )
        for method, many in sent.items()
    },
    **{
        f'scalpels_rpc_failures_total{{side="{side}",method="ping",exception="ValueError"}}': len(FAILED)
        for side in ("client", "server")
    },
    **{
        f'scalpels_rpc_notifications_total{{side="{side}",event="{EVENT}",priority="{priority}"}}': 1
        for side in ("client", "server", "broker")
        for priority in ("info", "error")
    },
    **{
        f'scalpels_rpc_{name}_total{{side="{side}",method="{method}"}}': 1
        for side in ("client", "server")
        for name, method in (
            ("unanswered", "late"),
            ("unanswered", "never"),
            ("late_replies", "late"),
            ("duplicates", "twice"),
        )
    },
    'scalpels_rpc_duplicates_total{side="broker",method="twice"}': 1,
    'scalpels_rpc_unanswered_total{side="broker",method="ping"}': 1,  # EARLY, which no server got
    "scalpels_rpc_unawaited_replies_total{}": 1,
}
