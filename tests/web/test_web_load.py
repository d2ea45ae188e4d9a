"""Many clients at once against a server in a process of its own, so that its memory can be read."""

from __future__ import annotations

import concurrent.futures
import socket
import statistics
import time
from contextlib import ExitStack

from web_client import Client
from web_fake import PIECE

BODY = 11_000_000 // len(PIECE) * len(PIECE)
MIB = 1024 * 1024


def test_fifty_scrapers_at_once_are_all_served_within_their_deadline(child):
    server = child(body_bytes=BODY)

    def scrape(_number: int) -> tuple[int, int, float]:
        started = time.monotonic()
        with server.client() as client:
            got = client.ask("GET", "/metrics", "X-Prometheus-Scrape-Timeout-Seconds: 10")
        return got.status, len(got.body), time.monotonic() - started

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        seen = list(pool.map(scrape, range(50)))
    assert {(status, length) for status, length, _ in seen} == {(200, BODY)}
    assert max(seconds for _, _, seconds in seen) < 9.5


def test_fifty_readers_that_do_not_read_share_one_body(child, until):
    server = child(body_bytes=BODY)
    with server.client() as client:
        client.ask("GET", "/metrics")
    before = server.resident_bytes()
    with ExitStack() as stack:
        for _ in range(50):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", server.port))
            client = stack.enter_context(Client(sock))
            client.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            assert sock.recv(12) == b"HTTP/1.1 200"
        assert server.resident_bytes() - before < 5 * MIB  # copies would be 550
        with server.client() as honest:
            started = time.monotonic()
            assert len(honest.ask("GET", "/metrics").body) == BODY
            assert time.monotonic() - started < 5


def test_everything_at_once_costs_bounded_memory_and_no_honest_client(child):
    """Half-open connections, heads of 10 MB, bodies that never end, pipelined garbage: together."""
    server = child()
    before = server.resident_bytes()
    with ExitStack() as stack:
        for number in range(600):
            client = stack.enter_context(server.client())
            try:
                match number % 4:
                    case 0:
                        client.send(b"GET /metrics HTTP/1.1\r\nX: ")
                    case 1:
                        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: " + b"y" * 200_000)
                    case 2:
                        client.send(
                            b"POST /-/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 65000\r\n\r\n" + b"z" * 64_000
                        )
                    case 3:
                        client.send(b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n" * 20 + b"\x00\xff" * 500)
            except OSError:
                continue
        times = []
        for _ in range(20):
            started = time.monotonic()
            with server.client() as honest:
                assert honest.ask("GET", "/metrics").status == 200
            times.append(time.monotonic() - started)
    assert statistics.median(times) < 0.5
    # 150 heads of 16 KiB, 150 bodies of 64 KiB, 600 connections, and what the allocator keeps
    assert server.resident_bytes() - before < 40 * MIB
    with server.client() as honest:
        assert honest.ask("GET", "/metrics").status == 200


def test_ten_thousand_requests_leave_no_memory_behind(child):
    server = child()

    def ask(times: int) -> None:
        with server.client() as client:
            for _ in range(times):
                client.ask("GET", "/metrics")

    ask(500)
    before = server.resident_bytes()
    for _ in range(20):
        ask(250)
    assert server.resident_bytes() - before < 2 * MIB


def test_an_idle_server_uses_no_cpu(child, until):
    server = child()
    with server.client() as idle:
        idle.ask("GET", "/-/healthy")
        before, started = server.cpu_seconds(), time.monotonic()
        until(lambda: time.monotonic() - started > 1.0)
        assert server.cpu_seconds() - before <= 0.02
