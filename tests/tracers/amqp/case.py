"""A little AMQP over socket pairs, and what the tracer must show of it under every kernel (tests/kernels)."""

import contextlib
import runpy
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

PARAMETERS: dict[str, Any] = {}
amqp = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("frames.py"))))
BODY = b"{}" * 40
OPEN: list[socket.socket] = []
GENERATED = "reply_8c0a4f5e7d0f4c0a9a551f6f0a3c9b11"


def passes(one: socket.socket, other: socket.socket, data: bytes) -> None:
    for piece in (data[at : at + 50_000] for at in range(0, len(data), 50_000)):
        one.sendmsg([piece[:20], b"", piece[20:]])
        left = len(piece)
        while left:
            left -= len(other.recv(min(left, 4000)))


def work() -> None:
    client, broker = socket.socketpair()
    for one, other, data in conversation(client, broker):
        passes(one, other, data)
    client.close()
    broker.close()
    owe()
    be_silent()


def owe() -> None:
    """Four are delivered to who acknowledges, and two are answered; three to who does not. Both stay open."""
    for channel, no_ack in ((5, False), (6, True)):
        client, broker = socket.socketpair()
        OPEN.extend((client, broker))
        passes(client, broker, amqp.PREAMBLE)
        passes(client, broker, amqp.consume(channel, no_ack=no_ack))
        for tag in (1, 2, 3) if no_ack else (1, 2, 3, 4):
            passes(broker, client, amqp.deliver(BODY, tag, exchange="owed", channel=channel))
    client, broker = OPEN[:2]
    passes(client, broker, amqp.consume(8))
    passes(broker, client, amqp.deliver(BODY, 1, exchange="owed", channel=8))
    passes(client, broker, amqp.method(8, (60, 110), b"\1"))  # Recover: it is to be delivered again
    passes(client, broker, amqp.acknowledge(2, channel=5) + amqp.method(5, (60, 90), (3).to_bytes(8, "big") + b"\0"))


def be_silent() -> None:
    """For longer than the heartbeat."""
    client, broker = socket.socketpair()
    for one, other, data in (
        *((client, broker, amqp.PREAMBLE), (client, broker, amqp.tune(1))),
        (broker, client, amqp.frame(8, 0, b"")),
    ):
        passes(one, other, data)
    client.settimeout(1.2)
    with contextlib.suppress(TimeoutError):
        client.recv(1)
    passes(broker, client, amqp.frame(8, 0, b""))


def conversation(client: socket.socket, broker: socket.socket) -> list[tuple[socket.socket, socket.socket, bytes]]:
    asks = [
        *(amqp.PREAMBLE, amqp.tune(60), amqp.method(1, (20, 10), b"\0"), amqp.method(1, (85, 10), b"\0")),
        *[amqp.publish(BODY, key="a" * 200)] * 5,
        amqp.publish(b"", exchange=""),
        amqp.publish(b"x" * 300_000, exchange=GENERATED),
        amqp.method(1, (60, 20), bytes(2) + amqp.short("queue") + amqp.short("") + b"\0" + bytes(4)),
    ]
    tells = [
        *(amqp.method(1, (20, 11), bytes(4)), amqp.acknowledge(3, several=True), amqp.acknowledge(4), amqp.refuse(5)),
        *(amqp.deliver(BODY, 1), amqp.deliver(BODY, 2, again=True), amqp.deliver(BODY, 3, consumer="c" * 180)),
        *(amqp.returns(BODY), amqp.frame(8, 0, b"")),
    ]
    acknowledges = [amqp.acknowledge(1), amqp.acknowledge(3, several=True)]
    ends = [amqp.closes(2, 404), amqp.closes(0, 320), amqp.closes(0, 200)]
    return [
        *((client, broker, data) for data in asks),
        *((broker, client, data) for data in tells),
        (client, broker, b"".join(acknowledges)),
        *((broker, client, data) for data in ends),
    ]


def both(text: str, value: float) -> dict[str, float]:
    """Both ends are of the same program."""
    return {text: 2 * value}


MESSAGES = {
    ("publish", "openstack"): (5, 5 * len(BODY)),
    ("publish", "amq.default"): (1, 0),
    ("publish", "reply_*"): (1, 300_000),
    ("deliver", "openstack"): (3, 3 * len(BODY)),
    ("return", "openstack"): (1, len(BODY)),
    ("confirm", "none"): (2, 0),
    ("refuse", "none"): (1, 0),
    ("ack", "none"): (3, 0),
    ("reject", "none"): (1, 0),
    ("deliver", "owed"): (8, 8 * len(BODY)),
}

COUNTS = {
    **{
        f'scalpels_amqp_{name}{{method="{method}",exchange="{exchange}"}}': 2 * found[place]
        for (method, exchange), found in MESSAGES.items()
        for place, name in enumerate(("messages_total", "message_bytes_total"))
    },
    **both('scalpels_amqp_redeliveries_total{exchange="openstack"}', 1),
    **both('scalpels_amqp_errors_total{what="return",code="312"}', 1),
    **both('scalpels_amqp_errors_total{what="channel",code="404"}', 1),
    **both('scalpels_amqp_errors_total{what="connection",code="320"}', 1),
    **both('scalpels_amqp_confirm_seconds_count{result="confirmed"}', 4),
    **both('scalpels_amqp_confirm_seconds_count{result="refused"}', 1),
    **both("scalpels_amqp_ack_seconds_count{}", 5),
    **both("scalpels_amqp_unacknowledged{}", 2),
    "scalpels_amqp_heartbeats_missed_total{}": 1,
    **both("scalpels_amqp_channels{}", 4),
    **both("scalpels_amqp_consumers{}", 4),
}
