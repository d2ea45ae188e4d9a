"""Connections that are slow, silent or too many, and the end of the server."""

from __future__ import annotations

import concurrent.futures
import errno
import socket
import time
from typing import Any

from web_client import Client
from web_fake import PIECE, Agent

BIG = [PIECE] * 200  # 11 MB
REFUSED = "scalpels_agent_http_refused_total"


def small_window(running: Any) -> socket.socket:
    """A client whose kernel takes little, so that the server has to wait for it."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(10)
    sock.connect(("127.0.0.1", running.port))
    return sock


def test_a_head_that_comes_a_byte_at_a_time_is_cut_off_after_its_time(serve, until):
    running = serve(head_seconds=0.4)
    with running.client() as client:
        client.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\nX: ")
        client.socket.settimeout(0.05)
        started = time.monotonic()
        answer = b""
        while not answer and time.monotonic() - started < 5:
            client.send(b"y")
            try:
                answer = client.socket.recv(1000)
            except TimeoutError:
                continue
        assert 0.3 < time.monotonic() - started < 2
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    until(lambda: running.counted(REFUSED, reason="head_timeout") == 1)


def test_a_body_that_never_comes_is_cut_off_after_its_time(serve):
    with serve(body_seconds=0.2).client() as client:
        client.send(b"POST /-/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n12")
        assert client.answer().status == 408
        assert client.ended()


def test_an_idle_connection_is_closed_without_a_word(serve):
    running = serve(idle_seconds=0.2)
    with running.client() as client:
        assert client.ask("GET", "/-/healthy").status == 200
        assert client.ended()
    assert running.counted(REFUSED, reason="head_timeout") == 0


def test_a_reader_that_takes_nothing_is_dropped_and_one_that_is_merely_slow_is_served(serve, until):
    running = serve(agent=Agent(BIG), stall_seconds=0.5)
    with Client(small_window(running)) as stuck, Client(small_window(running)) as slow:
        for client in (stuck, slow):
            client.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        got = 0

        def read_until(size: int) -> None:
            nonlocal got
            while got < size:
                got += len(slow.socket.recv(size - got))

        def the_other_is_dropped_meanwhile() -> float:
            read_until(got + 200_000)  # the kernel tells of room only when a third of its buffer is free
            return running.counted(REFUSED, reason="stalled")

        until(the_other_is_dropped_meanwhile)
        assert running.counted("scalpels_agent_http_connections") == 1
        read_until(sum(map(len, BIG)))
        assert running.counted(REFUSED, reason="stalled") == 1


def test_an_answer_may_not_take_for_ever(serve, until):
    running = serve(agent=Agent(BIG), answer_seconds=0.3)
    with Client(small_window(running)) as client:
        client.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: client.socket.recv(100) and running.counted(REFUSED, reason="stalled") == 1)


def test_half_open_connections_make_room_for_honest_ones(serve):
    running = serve(connections=20, evictable_after=0.0)
    half_open = [running.client() for _ in range(40)]
    for client in half_open[20:]:
        client.send(b"GET /metrics HT")
    assert running.get("/metrics").status == 200
    assert running.counted("scalpels_agent_http_connections") <= 20
    assert running.counted(REFUSED, reason="connections") >= 20
    for client in half_open:
        client.close()


def test_the_connection_idle_the_longest_goes_first(serve, until):
    running = serve(connections=2, evictable_after=0.0)
    with running.client() as older, running.client() as newer:
        for client in (older, newer):
            assert client.ask("GET", "/-/healthy").status == 200
        assert running.get("/-/healthy").status == 200
        assert older.ended()
        assert newer.ask("GET", "/-/healthy").status == 200


def test_where_all_are_at_work_a_new_connection_is_answered_503(serve, until):
    running = serve(agent=Agent(seconds=1.0), connections=2, evictable_after=0.0)
    with running.client() as one, running.client() as two:
        for client in (one, two):
            client.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\nX-Prometheus-Scrape-Timeout-Seconds: 2\r\n\r\n")
        until(lambda: len(running.agent.calls) == 2)
        with running.client() as third:
            got = third.answer()
            assert (got.status, got.text) == (503, "too many connections; try again later\n")
            assert third.ended()
        assert [one.answer().status, two.answer().status] == [200, 200]


def test_without_a_free_descriptor_the_server_waits_and_goes_on(serve, until, monkeypatch):
    running = serve()
    listener = running.server._listeners[0].socket
    real, failures = type(listener).accept, []

    def accept(sock: socket.socket) -> Any:
        if sock is listener and not failures:
            failures.append(sock)
            raise OSError(errno.EMFILE, "Too many open files")
        return real(sock)

    monkeypatch.setattr(socket.socket, "accept", accept)
    assert running.get("/-/healthy").status == 200
    assert running.counted(REFUSED, reason="accept") == 1


def test_clients_that_vanish_at_any_moment_leave_nothing_behind(serve, until):
    running = serve(agent=Agent(BIG))
    for cut in (0, 3, 30, 45):
        with running.client() as client:
            client.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"[:cut])
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    until(lambda: running.counted("scalpels_agent_http_connections") == 0)


def test_at_the_end_a_running_answer_is_finished_and_an_idle_connection_is_not_waited_for(serve, until):
    running = serve(agent=Agent(seconds=0.4))
    with running.client() as busy, running.client() as idle:
        idle.ask("GET", "/-/healthy")
        busy.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: running.agent.calls)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            closing = pool.submit(running.call, running.server.close())
            got = busy.answer()
            assert (got.status, got.headers["connection"]) == (200, "close")
            assert idle.ended()
            closing.result(5)


def test_at_the_end_a_reader_that_never_reads_is_left_after_the_grace(serve, until):
    running = serve(agent=Agent(BIG), grace_seconds=0.3)
    with Client(small_window(running)) as client:
        client.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: running.agent.calls)
        started = time.monotonic()
        running.call(running.server.close())
        assert time.monotonic() - started < 3
