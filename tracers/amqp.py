"""AMQP 0-9-1 on the wire: which program publishes to which exchange, what is delivered, returned, refused and lost.

What cannot be seen without it, in services that are left as they are: who floods which exchange, whose messages come
back or come again, what a broker closed a channel for. Both ends are followed where they are named: a publish is
counted for the client that sends it and for the broker that reads it, each under its own program.

A message counts once its body has come whole. Names that were generated (replies, UUIDs) are folded.
"""

import struct
from collections import Counter as Tally
from collections.abc import Sequence
from typing import Any

from scalpels_exporter.declare import (
    Count,
    Counter,
    Distribution,
    Exponential,
    Field,
    Gauge,
    Histogram,
    Kernel,
    Parser,
    Table,
    Tracer,
)
from scalpels_exporter.texts import text_of

METHODS = ("other", "publish", "deliver", "get", "return", "ack", "nack", "reject", "confirm", "refuse")
ERRORS = ("connection", "channel", "return")
NAMES = ("other", "none", "amq.default")  # numbers of names without a text of their own

PROGRAM = Field("program", "I", "program")

TRACER = Tracer(
    name="amqp",
    help="AMQP messages by method and exchange, redeliveries, confirms and errors.",
    metrics=(
        Counter(
            "scalpels_amqp_messages_total",
            "Messages that were published, delivered, got or returned, and their acknowledgements: ack, nack and "
            "reject are a consumer's, confirm and refuse the broker's to a publisher. One for several counts once.",
            ("program", "method", "exchange"),
            series=1000,
        ),
        Counter(
            "scalpels_amqp_message_bytes_total",
            "Bytes of the bodies of these messages.",
            ("program", "method", "exchange"),
            "bytes",
            series=1000,
        ),
        Counter(
            "scalpels_amqp_redeliveries_total",
            "Messages that were delivered again, because they were not acknowledged the first time.",
            ("program", "exchange"),
            series=1000,
        ),
        Counter(
            "scalpels_amqp_errors_total",
            "Channels and connections that were closed for an error, and messages that were returned, by reply code.",
            ("program", "what", "code"),
            series=300,
        ),
        Histogram(
            "scalpels_amqp_confirm_seconds",
            "Time from a publish to the broker's confirm or refusal of it, of each message, on channels whose "
            "Confirm.Select was seen.",
            ("program", "result"),
            "seconds",
            series=200,
        ),
        Histogram(
            "scalpels_amqp_ack_seconds",
            "Time from a message's delivery to its acknowledgement or rejection.",
            ("program",),
            "seconds",
            series=100,
            buckets=Exponential(-17, 10),
        ),
        Counter(
            "scalpels_amqp_heartbeats_missed_total",
            "Times that nothing was read from the other end for longer than the negotiated heartbeat, where the "
            "Connection.TuneOk was seen; counted when something comes again, or the connection is closed.",
            ("program",),
            series=100,
        ),
        Gauge(
            "scalpels_amqp_channels",
            "Channels that were opened, or used, since the tracer began.",
            ("program",),
            series=100,
        ),
        Gauge("scalpels_amqp_consumers", "Consumers that were begun on these channels.", ("program",), series=100),
        Gauge(
            "scalpels_amqp_unacknowledged",
            "Messages that were delivered since the tracer began and neither acknowledged nor rejected yet. Not on "
            "channels with a consumer that need not acknowledge; on those that are older than the tracer, once one "
            "message was acknowledged.",
            ("program",),
            series=100,
        ),
    ),
    runs=Parser(
        host="wire",
        recognisers=("amqp_recognise",),
        programs=("amqp_frames", "amqp_answers", "amqp_tags", "amqp_learn"),
        tables=(
            Table(
                "amqp_messages",
                (
                    PROGRAM,
                    Field("method", "B", "choice", METHODS),
                    Field("", "3s", "text"),
                    Field("exchange", "Q", "companion"),
                ),
                (
                    Count("scalpels_amqp_messages_total"),
                    Count("scalpels_amqp_message_bytes_total"),
                    Count("scalpels_amqp_redeliveries_total"),
                ),
            ),
            Table(
                "amqp_errors",
                (PROGRAM, Field("what", "H", "choice", ERRORS), Field("code", "H")),
                (Count("scalpels_amqp_errors_total"),),
            ),
            Table(
                "amqp_confirms",
                (PROGRAM, Field("result", "I", "choice", ("confirmed", "refused"))),
                (Distribution("scalpels_amqp_confirm_seconds"),),
            ),
            Table("amqp_acks", (PROGRAM,), (Distribution("scalpels_amqp_ack_seconds"),)),
            Table("amqp_missed", (PROGRAM,), (Count("scalpels_amqp_heartbeats_missed_total"),)),
        ),
        companion="Exchanges",
    ),
    default=True,
    overhead="In the kernel 30 µs the call that rpc speaks of, where rpc is off (benchmarks/rpc.py).",
    picture="scalpels_amqp_messages_total",
)


CHANNEL_KEY, CHANNEL = struct.Struct("=QQ"), struct.Struct("=IHBBq")  # what is read of them
ARE_DUE = 1  # acknowledgements of a channel's deliveries, as in the source


class Exchanges:
    """Names exchanges, counts the channels that are open and adds up what is owed on them."""

    def __init__(self, kernel: Kernel) -> None:
        self._texts, self._name = kernel.maps["amqp_texts"], kernel.name
        self._channels, self._connections = kernel.maps["amqp_channels"], kernel.maps["conns"]

    def beat(self) -> float:
        return float("inf")

    def label(self, label: str, member: Any) -> str:
        """The exchange by its number."""
        assert label == "exchange"
        if member < len(NAMES):
            return NAMES[member]
        return text_of(self._texts.get(member.to_bytes(8, "little"))) or NAMES[0]

    def samples(self) -> Sequence[tuple[str, Sequence[str], int]]:
        channels, consumers, owed = Tally[int](), Tally[int](), Tally[int]()
        lives: dict[int, bool] = {}
        for key, value in self._channels.items():
            inode, _ = CHANNEL_KEY.unpack(key)
            if inode not in lives:
                lives[inode] = self._connections.get(inode.to_bytes(8, "little")) is not None
            if not lives[inode]:
                self._channels.remove(key)
                continue
            program, many, _, answers, owes = CHANNEL.unpack_from(value)
            channels[program] += 1
            consumers[program] += many
            owed[program] += max(0, owes) if answers == ARE_DUE else 0
        return [
            (name, (self._name(program),), number)
            for name, found in (
                ("scalpels_amqp_channels", channels),
                ("scalpels_amqp_consumers", consumers),
                ("scalpels_amqp_unacknowledged", owed),
            )
            for program, number in found.items()
        ]
