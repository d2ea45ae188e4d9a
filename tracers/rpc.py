"""Calls of oslo.messaging over AMQP: by method, how long the client waits, the server works, and the broker takes.

What cannot be seen without it, in services that are left as they are: which method of which service is slow, whether
it is the server, the queue or the wait for a free worker, what was called and never answered.

A call is sent by one program and worked on by another: each end has metrics of its own. The client's time goes from
the return of the send that ended the request to the read of the reply, wherever in the process that is read; the
server's from the read of the request to the end of its reply. Calls are known by their ids, so neither thread nor
connection matters. Messages without oslo's envelope count nothing here.
"""

from collections.abc import Sequence
from typing import Any

from scalpels_exporter.declare import (
    Count,
    Counter,
    Distribution,
    Field,
    Histogram,
    Kernel,
    Parser,
    Summary,
    Table,
    Tracer,
)

SIDES = ("other", "client", "server", "broker")
KINDS = ("call", "cast", "fanout")
LEGS = ("request", "reply")
NAMES = ("other", "none", "default")

PROGRAM, METHOD = Field("program", "I", "program"), Field("method", "Q", "companion")
CALL = (PROGRAM, Field("", "I"), METHOD)
LABELS = ("program", "method")

TRACER = Tracer(
    name="rpc",
    help="Calls of oslo.messaging by method: the time of client, server and broker, failures, and what got lost.",
    metrics=(
        Histogram(
            "scalpels_rpc_client_seconds",
            "Time from the end of a call's sending to the reading of its reply, failures included.",
            LABELS,
            "seconds",
            series=1000,
        ),
        Histogram(
            "scalpels_rpc_server_seconds",
            "Time from the reading of a call to the end of the sending of its reply, failures included.",
            LABELS,
            "seconds",
            series=1000,
        ),
        Histogram(
            "scalpels_rpc_broker_seconds",
            "Time that a call or its reply spends in the broker, waiting in queues included.",
            ("program", "method", "leg"),
            "seconds",
            series=1000,
        ),
        Counter(
            "scalpels_rpc_messages_total",
            "Calls and casts that a client sent, a server received, a broker took in.",
            ("program", "side", "kind", "method"),
            series=1500,
        ),
        Counter(
            "scalpels_rpc_failures_total",
            "Calls that were answered with an exception, by its class.",
            ("program", "side", "method", "exception"),
            series=1000,
        ),
    ),
    runs=Parser(
        host="wire",
        programs=("rpc_body", "rpc_scan"),
        tables=(
            Table("rpc_client", CALL, (Distribution("scalpels_rpc_client_seconds"),)),
            Table("rpc_server", CALL, (Distribution("scalpels_rpc_server_seconds"),)),
            Table(
                "rpc_broker",
                (PROGRAM, Field("leg", "I", "choice", LEGS), METHOD),
                (Distribution("scalpels_rpc_broker_seconds"),),
            ),
            Table(
                "rpc_messages",
                (
                    PROGRAM,
                    Field("side", "B", "choice", SIDES),
                    Field("kind", "B", "choice", KINDS),
                    Field("", "H"),
                    METHOD,
                ),
                (Count("scalpels_rpc_messages_total"),),
            ),
            Table(
                "rpc_failures",
                (PROGRAM, Field("side", "I", "choice", SIDES), METHOD, Field("exception", "Q", "companion")),
                (Count("scalpels_rpc_failures_total"),),
            ),
        ),
        lost=("unread",),  # messages of oslo.messaging in which the id was not found
        companion="Calls",
    ),
    default=True,
    picture="scalpels_rpc_server_seconds",
    summary=Summary("scalpels_rpc_client_seconds"),
)


class Calls:
    """Names methods and exceptions."""

    def __init__(self, kernel: Kernel) -> None:
        self._texts = kernel.maps["amqp_texts"]

    def beat(self) -> float:
        return float("inf")

    def label(self, label: str, member: Any) -> str:
        if member < len(NAMES):
            return NAMES[member]
        found = self._texts.get(member.to_bytes(8, "little"))
        return found[1 : 1 + found[0]].decode(errors="replace") if found else NAMES[0]

    def samples(self) -> Sequence[tuple[str, Sequence[str], int]]:
        return ()
