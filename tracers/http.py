"""HTTP on the wire: which program serves and asks for which routes, how fast, and with what status; both ends.

What cannot be seen without it, in services that are left as they are: which calls of an API answer late, which service
asks whom in vain, how many requests wait now, and what its clients gave up. HTTP/1.0 and 1.1, and the protocol between
Apache or nginx and uWSGI. Both ends are followed where they are named, each under metrics of its own.

A request's time goes from its last byte to the first byte of its answer; `complete` to the last one. Interim answers
(100, 103) are none. Answers that are not in bytes of system calls (sendfile, splice) have no complete time.
A request whose connection ends before its answer has begun is unanswered, at each end for itself: what a client gives
up is unanswered there, and answered at a server that still could send its answer.
After 101, and after CONNECT, a connection is counted as upgraded and left alone.

In a route, ids, numbers, hashes and what is longer than 24 letters are folded in the kernel, and queries are cut off;
the routes of OpenStack's APIs, and those of the parameter `routes`, have names in their place too. What follows none of
them is shown as its folded path: name the routes of an API that has people's names in its paths.
"""

import struct
import sys
from collections.abc import Sequence
from typing import Any

from scalpels_exporter.declare import (
    Count,
    Counter,
    Distribution,
    Field,
    Gauge,
    Histogram,
    Kernel,
    Parameter,
    Parser,
    Summary,
    Table,
    Tracer,
)
from scalpels_exporter.routes.routing import OTHER, Routing
from scalpels_exporter.texts import text_of

METHODS = ("other", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE")
SIDES = ("other", "client", "server")
REASONS = ("tls", "http2")

PROGRAM, SIDE = Field("program", "I", "program"), Field("side", "B", "choice", SIDES)
REQUEST = (PROGRAM, Field("method", "B", "choice", METHODS), Field("", "B"), Field("status", "H"))
ROUTED = (*REQUEST, Field("route", "Q", "companion"))
END = (PROGRAM, SIDE, Field("reason", "B", "choice", REASONS), Field("", "H"))
LABELS = ("program", "method", "status")

FIRST_BYTE = "Time from the last byte of a request to the first byte of its answer, where the program is the {}."
LAST_BYTE = "Time to the last byte of the answer, where its length is told, and where the program is the {}."
IN_FLIGHT = "Requests whose answer has not begun, where the program is the {}."


def histograms(side: str) -> tuple[Histogram, Histogram]:
    name = f"scalpels_http_{side}"
    return (
        Histogram(f"{name}_seconds", FIRST_BYTE.format(side), (*LABELS, "route"), "seconds", series=1000),
        Histogram(f"{name}_complete_seconds", LAST_BYTE.format(side), LABELS, "seconds", series=300),
    )


TRACER = Tracer(
    name="http",
    help="HTTP requests by route and status: how long they take, and how many wait.",
    metrics=(
        *histograms("server"),
        *histograms("client"),
        Gauge("scalpels_http_server_requests_in_flight", IN_FLIGHT.format("server"), ("program",), series=200),
        Gauge("scalpels_http_client_requests_in_flight", IN_FLIGHT.format("client"), ("program",), series=200),
        Counter(
            "scalpels_http_request_bytes_total",
            "Bytes of requests, heads included.",
            ("program", "side"),
            "bytes",
            series=200,
        ),
        Counter(
            "scalpels_http_answer_bytes_total",
            "Bytes of answers, heads included; without what sendfile and splice move.",
            ("program", "side"),
            "bytes",
            series=200,
        ),
        Counter(
            "scalpels_http_unanswered_total",
            "Requests whose connection ended before their answer began.",
            ("program", "side"),
            series=200,
        ),
        Counter(
            "scalpels_http_untimed_answers_total",
            "Answers that are in no histogram: of requests that are pipelined on a connection 16 can be told apart.",
            ("program", "side"),
            series=200,
        ),
        Counter(
            "scalpels_http_upgrades_total",
            "Connections that went over to another protocol: websockets, and tunnels of CONNECT.",
            ("program", "side"),
            series=200,
        ),
        Counter(
            "scalpels_http_unreadable_connections_total",
            "Connections whose requests cannot be read: encrypted, whatever is inside, or HTTP/2.",
            ("program", "side", "reason"),
            series=400,
        ),
    ),
    runs=Parser(
        host="wire",
        recognisers=("http_recognise",),
        programs=("http_requests", "http_answers", "http_chunks", "http_packets"),
        tables=(
            Table("http_server", ROUTED, (Distribution("scalpels_http_server_seconds"),)),
            Table("http_client", ROUTED, (Distribution("scalpels_http_client_seconds"),)),
            Table("http_whole_srv", REQUEST, (Distribution("scalpels_http_server_complete_seconds"),)),
            Table("http_whole_cli", REQUEST, (Distribution("scalpels_http_client_complete_seconds"),)),
            Table(
                "http_bytes",
                END,
                (Count("scalpels_http_request_bytes_total"), Count("scalpels_http_answer_bytes_total")),
            ),
            Table("http_unanswered", END, (Count("scalpels_http_unanswered_total"),)),
            Table("http_untimed", END, (Count("scalpels_http_untimed_answers_total"),)),
            Table("http_upgrades", END, (Count("scalpels_http_upgrades_total"),)),
            Table("http_unread", END, (Count("scalpels_http_unreadable_connections_total"),)),
        ),
        companion="Routes",
        check="http_check",
    ),
    default=True,
    parameters=(
        Parameter(
            "routes",
            "texts",
            [],
            "The routes of your own APIs, as /orders/{id}/items: braces stand for any one segment.",
        ),
        Parameter("routes_most", "integer", 200, "Routes that are told apart; those beyond are other.", 1, 1000),
    ),
    overhead="2.0 to 2.8 µs a request at the client, 7.5 to 8.1 at the server (benchmarks/http.py).",
    picture="scalpels_http_server_seconds",
    summary=Summary("scalpels_http_server_seconds", more=("scalpels_http_client_seconds",), failed=("status", "5")),
)

NUMBER = struct.Struct("=Q")  # of a route, in the kernel
WAITING = struct.Struct("=IIB")  # what a connection begins with: requests without an answer, their program, their side


class Routes:
    """Names routes, and tells how many requests are in flight: it looks through all connections.

    No event tells that a Unix socket is gone, so those that wait are checked one by one; the kernel program counts what
    nobody answered.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._routing = Routing(kernel.parameters["routes"], kernel.parameters["routes_most"])
        self._folded, self._conns = kernel.maps["http_routes"], kernel.maps["conns"]
        self._name, self._check = kernel.name, kernel.check
        self._known: set[tuple[int, int]] = set()  # programs and sides, which are shown from now on

    def beat(self) -> float:
        return float("inf")

    def label(self, label: str, member: Any) -> str:
        """The route by its number."""
        assert label == "route"
        path = text_of(self._folded.get(NUMBER.pack(member)))
        return OTHER if path is None else self._routing.route(path)

    def samples(self) -> Sequence[tuple[str, Sequence[str], int]]:
        waiting = self._waiting()
        self._known |= waiting.keys()
        found = []
        for program, side in self._known:
            many = waiting.get((program, side), 0)
            found.append((f"scalpels_http_{SIDES[side]}_requests_in_flight", (self._name(program),), many))
        return found

    def _waiting(self) -> dict[tuple[int, int], int]:
        """Program and side → requests in flight."""
        waiting: dict[tuple[int, int], int] = {}
        for number, head in self._conns.heads(WAITING.size):
            many, program, side = WAITING.unpack(head)
            if many and self._check(int.from_bytes(number, sys.byteorder)):
                many = 0
            if program and side:
                waiting[program, side] = waiting.get((program, side), 0) + many
        return waiting
