"""AMQP 0-9-1 on the wire: which program publishes to which exchange, what is delivered, returned, refused and lost.

What cannot be seen without it, in services that are left as they are: who floods which exchange, whose messages come
back or come again, what a broker closed a channel for. Both ends are followed where they are named: a publish is
counted for the client that sends it and for the broker that reads it, each under its own program.

A message counts once its body has come whole. Names that were generated (replies, UUIDs) are folded.
"""

from collections.abc import Sequence
from typing import Any

from scalpels_exporter.declare import (
    Count,
    Counter,
    Field,
    Kernel,
    Parser,
    Table,
    Tracer,
)

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
    ),
    runs=Parser(
        host="wire",
        recognisers=("amqp_recognise",),
        programs=("amqp_frames", "amqp_answers"),
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
        ),
        companion="Exchanges",
    ),
    default=True,
    picture="scalpels_amqp_messages_total",
)


class Exchanges:
    """Names exchanges."""

    def __init__(self, kernel: Kernel) -> None:
        self._texts = kernel.maps["amqp_texts"]

    def beat(self) -> float:
        return float("inf")

    def label(self, label: str, member: Any) -> str:
        """The exchange by its number."""
        assert label == "exchange"
        if member < len(NAMES):
            return NAMES[member]
        found = self._texts.get(member.to_bytes(8, "little"))
        return found[1 : 1 + found[0]].decode(errors="replace") if found else NAMES[0]

    def samples(self) -> Sequence[tuple[str, Sequence[str], int]]:
        return ()
