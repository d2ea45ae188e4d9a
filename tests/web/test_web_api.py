"""The JSON API, health, reload and the scrape's deadline."""

from __future__ import annotations

import pytest

from scalpels_exporter.supervise.status import State
from scalpels_exporter.web.api import BadBody, Wish, wish
from scalpels_exporter.web.limits import DEFAULT
from scalpels_exporter.web.ratelimit import Bucket
from scalpels_exporter.web.scrape import deadline_seconds
from scalpels_exporter.web.served import Body, Outcome


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 1.0),
        ("", 1.0),
        ("ten", 1.0),
        ("-3", 1.0),
        ("0", 1.0),
        ("nan", 1.0),
        ("inf", 1.0),
        ("1e400", 1.0),
        ("1", 0.9),
        ("5", 4.5),
        ("10", 9.5),
        ("0.5", 0.45),
        ("1000", 59.5),
    ],
)
def test_a_scrape_may_take_what_the_scraper_says_less_a_margin(header, seconds):
    assert deadline_seconds(header, DEFAULT) == pytest.approx(seconds)


def test_a_scrape_is_asked_for_with_the_clients_own_words(serve):
    running = serve()
    running.get(
        "/metrics", "Accept: text/plain;q=0.5", "Accept-Encoding: gzip", "X-Prometheus-Scrape-Timeout-Seconds: 10"
    )
    assert running.agent.calls == [("scrape", "text/plain;q=0.5", "gzip", 9.5)]


def test_a_compressed_body_is_labelled_and_its_pieces_are_joined_on_the_wire(serve):
    running = serve()
    running.agent.body = Body("text/plain", [b"abc", b"", b"def"], "gzip")
    got = running.get("/metrics")
    assert (got.body, got.headers["content-encoding"], got.headers["content-length"]) == (b"abcdef", "gzip", "6")
    assert got.headers["vary"] == "Accept, Accept-Encoding"


def test_an_agent_that_does_not_keep_the_deadline_is_answered_for(serve):
    running = serve(scrape_overrun_seconds=0.1)

    async def never(*_words):
        import asyncio

        await asyncio.Event().wait()

    running.agent.scrape = never
    got = running.get("/metrics", "X-Prometheus-Scrape-Timeout-Seconds: 0.1")
    assert (got.status, got.text) == (503, "the scrape was not ready within 0.09 s\n")


def test_ready_says_why_it_is_not(serve):
    running = serve()
    assert running.get("/-/ready").text == "ready\n"
    running.agent.is_ready = (False, "the first configuration is not at work yet")
    got = running.get("/-/ready")
    assert (got.status, got.text) == (503, "not ready: the first configuration is not at work yet\n")
    assert running.get("/-/healthy").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_reload_says_what_came_of_it(serve, method):
    running = serve()
    assert running.get("/-/reload", method=method).text == "reloaded\n"
    running.agent.reload_outcome = Outcome(False, "a.yaml:1: x: unknown key\na.yaml:2: y: unknown key")
    got = running.get("/-/reload", method=method)
    assert (got.status, got.text) == (500, "a.yaml:1: x: unknown key\na.yaml:2: y: unknown key\n")


def test_the_listing_has_every_tracer_and_the_agents_own_words(serve):
    got = serve().get("/api/v1/tracers")
    assert got.headers["content-type"] == "application/json"
    assert {tracer["state"] for tracer in got.json["tracers"]} == set(State) - {"stopping"}
    agent = got.json["agent"]
    assert (agent["version"], agent["node"], agent["metrics_path"]) == ("0.1.0", "here", "/metrics")
    fs = next(tracer for tracer in got.json["tracers"] if tracer["tracer"] == "fs")
    assert fs["lost"] == {"full": 17}
    assert len(fs["picture"]) == 60


def test_one_tracer_is_found_by_name(serve):
    running = serve()
    assert running.get("/api/v1/tracers/vpn").json["state"] == "failed"
    got = running.get("/api/v1/tracers/nothing")
    assert (got.status, got.json) == (404, {"error": "no tracer is called 'nothing'"})


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/api/v1/tracers/nothing/start", 404, "no tracer is called nothing"),
        ("/api/v1/tracers/%2e%2e%2fetc/start", 404, "no tracer has such a name"),
        ("/api/v1/tracers/sql/stop", 409, "this host cannot run it"),
    ],
)
def test_what_cannot_be_done_is_said(serve, path, status, error):
    got = serve().get(path, method="POST")
    assert (got.status, got.json) == (status, {"error": error})


@pytest.mark.parametrize(
    ("body", "leased", "found"),
    [
        (b"", True, Wish()),
        (b"  \n", False, Wish()),
        (b"{}", True, Wish()),
        (b'{"for": 90}', True, Wish(90.0)),
        (b'{"for": "1h30m", "reason": "why"}', True, Wish(5400.0, "why")),
        (b'{"for": null}', True, Wish()),
        (b'{"reason": "caf\xc3\xa9"}', False, Wish(None, "café")),
    ],
)
def test_a_body_is_read(body, leased, found):
    assert wish(body, leased=leased) == found


@pytest.mark.parametrize(
    ("body", "leased", "words"),
    [
        (b"{", True, "the body is not JSON"),
        (b"\xff", True, "the body is not JSON"),
        (b"[" * 60000, True, "the body is not JSON"),
        (b"[]", True, "expected a JSON object"),
        (b'{"four": 1}', True, "unknown key 'four'; known: for, reason"),
        (b'{"for": "10m"}', False, "unknown key 'for'; known: reason"),
        (b'{"for": "soon"}', True, "for: expected a duration"),
        (b'{"for": true}', True, "for: expected a duration"),
        (b'{"for": [1]}', True, "for: expected a duration"),
        (b'{"for": 0}', True, "for: expected more than 0 and at most 7 days"),
        (b'{"for": -1}', True, "for: expected more than 0"),
        (b'{"for": 1e300}', True, "for: expected more than 0 and at most 7 days"),
        (b'{"for": "8d"}', True, "at most 7 days"),
        (b'{"reason": 1}', True, "reason: expected one printable line"),
        (b'{"reason": "two\\nlines"}', True, "reason: expected one printable line"),
        (b'{"reason": "' + b"x" * 201 + b'"}', True, "at most 200 characters"),
    ],
)
def test_a_body_that_says_nothing_sensible_is_refused(body, leased, words):
    with pytest.raises(BadBody) as problem:
        wish(body, leased=leased)
    assert words in str(problem.value)
    assert "\n" not in str(problem.value)


def test_a_bucket_gives_its_burst_and_then_one_an_interval():
    bucket = Bucket(2.0, 3)
    assert [bucket.wait(0.0) for _ in range(4)] == [0.0, 0.0, 0.0, 2.0]
    assert bucket.wait(1.5) == pytest.approx(0.5)
    assert [bucket.wait(2.0), bucket.wait(2.0)] == [0.0, 2.0]
    assert [bucket.wait(1000.0) for _ in range(4)] == [0.0, 0.0, 0.0, 2.0]


def test_a_bucket_without_an_interval_gives_without_end():
    bucket = Bucket(0, 0)
    assert not any(bucket.wait(0.0) for _ in range(1000))
