"""A target whose histograms are native alone, as Prometheus' protobuf format has them; they grow with each scrape.

The agent does not write this format, so a stand-in shows that queries are ready for it. Encodes what is needed of
io.prometheus.client.MetricFamily by hand.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TYPE = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
HISTOGRAM = 4
Histograms = Iterable[tuple[str, Sequence[tuple[str, str]]]]  # name, labels


def varint(number: int) -> bytes:
    found = b""
    while number > 0x7F:
        found += bytes([number & 0x7F | 0x80])
        number >>= 7
    return found + bytes([number])


def zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def field(number: int, value: int | float | bytes | str) -> bytes:
    """Whole numbers as varint, others as double; texts and messages with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def family(name: str, labels: Sequence[tuple[str, str]], scrapes: int) -> bytes:
    """Ten observations a scrape in each of eight buckets of schema 2, from 4 ms on."""
    each, first, buckets = 10 * scrapes, -32, 8
    deltas = b"".join(varint(zigzag(each if place == 0 else 0)) for place in range(buckets))
    span = field(1, zigzag(first)) + field(2, buckets)
    total = float(sum(each * 2 ** ((first + place) / 4) for place in range(buckets)))
    histogram = (
        field(1, each * buckets)
        + field(2, total)
        + field(5, zigzag(2))  # the schema
        + field(6, 1e-128)  # the threshold of the zero bucket
        + field(7, 0)
        + field(12, span)
        + field(13, deltas)
    )
    pairs = b"".join(field(1, field(1, key) + field(2, value)) for key, value in labels)
    message = (
        field(1, name) + field(2, "A native histogram.") + field(3, HISTOGRAM) + field(4, pairs + field(7, histogram))
    )
    return varint(len(message)) + message


class NativeTarget:
    """Serves until it is closed; `address` is what a scrape is given."""

    def __init__(self, histograms: Histograms) -> None:
        every = list(histograms)
        scrapes = 0

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                nonlocal scrapes
                scrapes += 1
                body = b"".join(family(name, labels, scrapes) for name, labels in every)
                self.send_response(200)
                self.send_header("Content-Type", TYPE)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing is logged."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
