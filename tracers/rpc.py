"""Calls of oslo.messaging over AMQP: by method, how long the client waits, the server works, and the broker takes.

What cannot be seen without it, in services that are left as they are: which method of which service is slow, whether
it is the server, the queue or the wait for a free worker, what was called and never answered.

A call is sent by one program and worked on by another: each end has metrics of its own. The client's time goes from
the return of the send that ended the request to the read of the reply, wherever in the process that is read; the
server's from the read of the request to the end of its reply. Calls are known by their ids, so neither thread nor
connection matters. A method of a namespace is told as `namespace.method`. Messages without oslo's envelope count
nothing here.
"""

import struct
import time
from collections import Counter as Tally
from collections.abc import Callable, Sequence
from typing import Any

from scalpels_exporter.declare import (
    Count,
    Counter,
    Distribution,
    Ends,
    Field,
    Gauge,
    Histogram,
    Kernel,
    Parameter,
    Parser,
    Table,
    Tracer,
)
from scalpels_exporter.texts import text_of

SIDES = ("other", "client", "server", "broker")
KINDS = ("call", "cast", "fanout")
LEGS = ("request", "reply")
PRIORITIES = ("none", "audit", "critical", "debug", "error", "info", "sample", "warn")
NAMES = ("other", "none", "default")

PROGRAM, METHOD = Field("program", "I", "program"), Field("method", "Q", "companion")
END = (PROGRAM, Field("side", "I", "choice", SIDES), METHOD)
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
            "Calls and casts that a client sent, a server received, a broker took in. Here and in all others a method "
            "of a namespace is told as `namespace.method`.",
            ("program", "side", "kind", "method"),
            series=1500,
        ),
        Counter(
            "scalpels_rpc_failures_total",
            "Calls that were answered with an exception, by its class.",
            ("program", "side", "method", "exception"),
            series=1000,
        ),
        Counter(
            "scalpels_rpc_notifications_total",
            "Notifications by the type of the event, sent by a client, received by a server, taken in by a broker.",
            ("program", "side", "event", "priority"),
            series=1000,
        ),
        Gauge(
            "scalpels_rpc_calls_in_flight",
            "Calls that a client waits for, a server works on, a broker has not brought back yet; less those whose "
            "client's timeout is over.",
            ("program", "side"),
            series=200,
        ),
        Counter(
            "scalpels_rpc_unanswered_total",
            "Calls without a reply when the client's timeout was over: at the client that sent it, the server that "
            "received it; at the broker those that no server received. A client without a timeout is given a minute. "
            "After a start some may be among them whose reply came on a connection that was not known yet.",
            ("program", "side", "method"),
            series=1000,
        ),
        Counter(
            "scalpels_rpc_late_replies_total",
            "Replies that a server sent, a client read, after the client's timeout; less than unanswered by the calls "
            "that were never answered. They are in the server's times, not in the client's.",
            ("program", "side", "method"),
            series=1000,
        ),
        Counter(
            "scalpels_rpc_unawaited_replies_total",
            "Replies that a client read and never asked for, or whose calls are older than the tracer.",
            ("program",),
            series=100,
        ),
        Counter(
            "scalpels_rpc_duplicates_total",
            "Calls with an id that was there already: published again by a client, delivered again to a server.",
            ("program", "side", "method"),
            series=1000,
        ),
    ),
    runs=Parser(
        host="wire",
        programs=("rpc_body", "rpc_scan", "rpc_notice"),
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
            Table(
                "rpc_notices",
                (
                    PROGRAM,
                    Field("side", "B", "choice", SIDES),
                    Field("priority", "B", "choice", PRIORITIES),
                    Field("", "H"),
                    Field("event", "Q", "companion"),
                ),
                (Count("scalpels_rpc_notifications_total"),),
            ),
            Table("rpc_late", END, (Count("scalpels_rpc_late_replies_total"),)),
            Table("rpc_again", END, (Count("scalpels_rpc_duplicates_total"),)),
        ),
        lost=("unread",),  # messages of oslo.messaging in which the id was not found
        companion="Calls",
    ),
    parameters=(
        Parameter(
            "patience", "duration", 60.0, "When a call whose client has no timeout counts as unanswered.", 1, 86400
        ),
    ),
    default=True,
    overhead="In the kernel 39 µs a call in client, server and broker together, of 1,030 (benchmarks/rpc.py).",
    picture="scalpels_rpc_server_seconds",
    summary=Ends(
        "method",
        times={side: f"scalpels_rpc_{side}_seconds" for side in ("client", "server", "broker")},
        errors="scalpels_rpc_failures_total",
        wrong={
            "unanswered": "scalpels_rpc_unanswered_total",
            "late": "scalpels_rpc_late_replies_total",
            "again": "scalpels_rpc_duplicates_total",
        },
    ),
)


CLIENT, SERVER, BROKER = SIDES.index("client"), SIDES.index("server"), SIDES.index("broker")
ROLES = (0, CLIENT, SERVER, BROKER, 0)  # a flight's role in the source → whose it is
EARLY = 4  # the role of replies that were read before their call was seen to be sent
FLIGHT_KEY, FLIGHT = struct.Struct("=QQ"), struct.Struct("=QQIIII")
SPACE = struct.Struct("=QQ")
MESSAGES_KEY = struct.Struct("=IIQ")
SECOND, MILLISECOND = 10**9, 10**6
SWEEP_SECONDS = 2.0
GRACE = SECOND // 2  # beyond a timeout: the reply may be on its way through the kernel
UNAWAITED = 2 * SECOND  # after which nobody will say any more that the reply was asked for
KEPT = 600 * SECOND  # that a call is remembered after its timeout, to know a late reply when it comes

Ended = tuple[int, int, int]  # program, side, method


class Calls:
    """Names methods and exceptions; tells which calls are in flight, and which will not be answered in time."""

    def __init__(self, kernel: Kernel, now: Callable[[], int] = time.monotonic_ns) -> None:
        self._texts, self._name = kernel.maps["amqp_texts"], kernel.name
        self._spaces = kernel.maps["rpc_spaces"]
        self._flights, self._overdue = kernel.maps["rpc_flights"], kernel.maps["rpc_overdue"]
        self._patience = round(kernel.parameters["patience"] * SECOND)
        self._now = now
        self._unanswered, self._unawaited = Tally[Ended](), Tally[int]()
        self._in_flight = Tally[tuple[int, int]]()

    def beat(self) -> float:
        """Sweeps, so that what nobody answers leaves its place though nobody scrapes."""
        self._sweep()
        return SWEEP_SECONDS

    def label(self, label: str, member: Any) -> str:
        """Of a method, an event or an exception, by its number; a method with its namespace before it."""
        assert label in ("method", "event", "exception")
        if member < len(NAMES):
            return NAMES[member]
        both = self._spaces.get(member.to_bytes(8, "little"))
        if both:
            return ".".join(self.label(label, number) for number in SPACE.unpack(both))
        return text_of(self._texts.get(member.to_bytes(8, "little"))) or NAMES[0]

    def samples(self) -> Sequence[tuple[str, Sequence[str], int]]:
        self._sweep()
        unanswered = Tally(self._unanswered)
        for key, value in self._overdue.items():
            unanswered[MESSAGES_KEY.unpack(key)] += int.from_bytes(value, "little")
        return [
            *(
                (
                    "scalpels_rpc_unanswered_total",
                    (self._name(program), SIDES[side], self.label("method", method)),
                    n,
                )
                for (program, side, method), n in unanswered.items()
            ),
            *(
                ("scalpels_rpc_calls_in_flight", (self._name(program), SIDES[side]), n)
                for (program, side), n in self._in_flight.items()
            ),
            *(
                ("scalpels_rpc_unawaited_replies_total", (self._name(program),), n)
                for program, n in self._unawaited.items()
            ),
        ]

    def _sweep(self) -> None:
        now = self._now()
        self._in_flight = Tally(dict.fromkeys(self._in_flight, 0))
        for key, value in self._flights.items():
            _, role = FLIGHT_KEY.unpack(key)
            at, method, program, expires, overdue, leg = FLIGHT.unpack(value)
            age = now - at
            if role == EARLY:
                if age > UNAWAITED:
                    self._unawaited[program] += 1
                    self._flights.remove(key)
                continue
            side = ROLES[role]
            limit = expires * MILLISECOND or self._patience
            if overdue:
                if age > limit + KEPT:
                    self._flights.remove(key)
            elif age <= limit + GRACE:
                self._in_flight[program, side] += 1
            elif self._flights.get(key) == value:  # nothing has become of it while this was looked at
                self._flights.put(key, FLIGHT.pack(at, method, program, expires, 1, leg))
                if side != BROKER or not leg:
                    self._unanswered[program, side, method] += 1
