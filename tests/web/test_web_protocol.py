"""HTTP/1.1 over real sockets: what a client may do, and what it may not."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HOST = b"Host: localhost\r\n"
PIECES = (
    b"GET / HTTP/1.1\r\n",
    b"POST /-/reload HTTP/1.1\r\n",
    b"PRI * HTTP/2.0",
    b"Host: a\r\n",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"\r\n",
    b"0\r\n\r\n",
)


def test_a_scrape_gets_the_body_and_its_type(serve):
    got = serve().get("/metrics")
    assert got.status == 200
    assert got.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert got.body.endswith(b"scalpels_fake_total 23\n")


def test_two_requests_on_one_connection_are_both_answered(serve):
    with serve().client() as client:
        assert [client.ask("GET", "/-/healthy").status, client.ask("GET", "/nowhere").status] == [200, 404]


def test_pipelined_requests_are_answered_in_their_order(serve):
    with serve().client() as client:
        client.send(
            b"".join(b"GET %s HTTP/1.1\r\n%s\r\n" % (path, HOST) for path in (b"/-/healthy", b"/x", b"/metrics"))
        )
        assert [client.answer().status for _ in range(3)] == [200, 404, 200]


def test_two_hundred_pipelined_requests_are_all_answered(serve):
    with serve().client() as client:
        client.send(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
        assert {client.answer().text for _ in range(200)} == {"healthy\n"}


def test_garbage_behind_a_good_request_is_refused_after_the_good_answer(serve, until):
    running = serve()
    with running.client() as client:
        client.send(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n\x00\x01garbage\r\n\r\n")
        assert [client.answer().status, client.answer().status] == [200, 400]
        assert client.ended()
    until(lambda: running.counted("scalpels_agent_http_refused_total", reason="bad_request") == 1)


def test_http_1_0_is_answered_and_closed(serve):
    with serve().client() as client:
        client.send(b"GET /-/healthy HTTP/1.0\r\n\r\n")
        got = client.answer()
        assert (got.status, got.headers["connection"]) == (200, "close")
        assert client.ended()


def test_connection_close_closes(serve):
    with serve().client() as client:
        assert client.ask("GET", "/-/healthy", "Connection: close").status == 200
        assert client.ended()


def test_head_gives_the_length_and_no_body(serve):
    with serve().client() as client:
        got = client.ask("HEAD", "/metrics")
        assert int(got.headers["content-length"]) > 50
        assert client.ask("GET", "/-/healthy").text == "healthy\n"


@pytest.mark.parametrize(
    "target", ["/-/healthy?x=1", "/-/healthy?", "http://localhost/-/healthy", "HTTP://a:1/-/healthy?q"]
)
def test_queries_are_ignored_and_absolute_targets_are_understood(serve, target):
    assert serve().get(target).status == 200


def test_expect_100_continue_is_told_to_go_on(serve):
    with serve().client() as client:
        client.send(b"POST /-/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert client.answer().status == 100
        client.send(b"{}")
        assert client.answer().status == 200


def test_a_chunked_body_is_read(serve):
    running = serve()
    with running.client() as client:
        client.send(
            b"POST /api/v1/tracers/fs/stop HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            b'9\r\n{"reason"\r\n8\r\n: "why"}\r\n0\r\n\r\n'
        )
        assert client.answer().status == 200
    assert running.agent.calls == [("stop", "fs", "why", "loopback:127.0.0.1")]


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("POST", "/metrics", 405, "GET, HEAD"),
        ("DELETE", "/api/v1/tracers", 405, "GET, HEAD"),
        ("GET", "/-/reload", 405, "POST, PUT"),
        ("GET", "/api/v1/tracers/fs/start", 405, "POST"),
        ("OPTIONS", "/", 405, "GET, HEAD"),
        ("GET", "/metrics/", 404, None),
        ("GET", "//metrics", 404, None),
        ("GET", "/page/../server.py", 404, None),
        ("GET", "/page/%2e%2e/server.py", 404, None),
        ("CONNECT", "localhost:80", 404, None),
        ("OPTIONS", "*", 404, None),
    ],
)
def test_other_methods_and_paths_are_refused_by_name(serve, method, path, status, allow):
    got = serve().get(path, method=method)
    assert (got.status, got.headers.get("allow")) == (status, allow)
    assert got.text.count("\n") == 1


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\r\n\r\n\x16\x03\x01\r\n\r\n", 400),
        (b"GET /metrics\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET /me trics HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET http://[/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -4\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n11000\r\n" + b"x" * 0x11000, 413),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET /" + b"a" * 20000, 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-A: b\r\n" * 101 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"b" * 16000 + b"\r\nX-B: " + b"b" * 400 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"b" * 20000, 431),
    ],
)
def test_what_is_no_request_is_answered_by_one_line_and_the_end(serve, data, status):
    with serve().client() as client:
        client.send(data)
        got = client.answer()
        assert (got.status, got.headers["connection"]) == (status, "close")
        assert got.text.count("\n") == 1
        assert client.ended()


def test_ten_megabytes_of_headers_are_cut_off_early(serve, until):
    running = serve()
    sent = 0
    with running.client() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        line = b"X-Filler: " + b"x" * 4000 + b"\r\n"
        try:
            while sent < 10_000_000:
                client.send(line)
                sent += len(line)
        except OSError:
            pass
    assert sent < 5_000_000
    until(lambda: running.counted("scalpels_agent_http_refused_total", reason="head_size") == 1)
    assert running.get("/-/healthy").status == 200


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=200),
            st.sampled_from(PIECES),
        ),
        max_size=8,
    )
)
def test_whatever_bytes_come_the_next_client_is_served(shared, pieces):
    with shared.client() as client:
        for piece in pieces:
            try:
                client.send(piece)
            except OSError:
                break
    assert shared.get("/-/healthy").text == "healthy\n"
    assert shared.complaints == []


@pytest.fixture
def shared(serve):
    return serve()


def test_answers_are_counted_by_code_and_class_of_path(serve):
    running = serve()
    for path in ("/metrics", "/metrics", "/", "/nowhere"):
        running.get(path)
    count = "scalpels_agent_http_requests_total"
    assert running.counted(count, code="200", handler="metrics") == 2
    assert running.counted(count, code="200", handler="page") == 1
    assert running.counted(count, code="404", handler="none") == 1


def test_a_handler_that_fails_is_one_line_for_the_client(serve, caplog):
    running = serve()

    async def broken(*_words):
        raise RuntimeError("secret inside")

    running.agent.scrape = broken
    got = running.get("/metrics")
    assert (got.status, got.text) == (500, "the agent failed to answer; its log says why\n")
    assert "secret inside" in caplog.text
