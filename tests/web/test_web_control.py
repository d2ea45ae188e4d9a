"""Who may start, stop and reload: tables of requests, then the same over a socket."""

from __future__ import annotations

import pytest

from scalpels_exporter.web.control import HOW_TO_ALLOW, may_control
from scalpels_exporter.web.message import Peer, Request

LOCAL = Peer("127.0.0.1")


def request(authority: str = "localhost:10919", peer: Peer = LOCAL, **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", "/-/reload", authority, named, b"", peer)


@pytest.mark.parametrize(
    ("asked", "user", "loopback_only", "who"),
    [
        (request(), "", True, "loopback:127.0.0.1"),
        (request("127.0.0.1"), "", True, "loopback:127.0.0.1"),
        (request("[::1]:10919", Peer("::1")), "", True, "loopback:::1"),
        (request("node.localhost"), "", True, "loopback:127.0.0.1"),
        (request(origin="http://localhost:10919", sec_fetch_site="same-origin"), "", True, "loopback:127.0.0.1"),
        (request(sec_fetch_site="none"), "", True, "loopback:127.0.0.1"),
        (request("anything", Peer("unix:uid=0", unix=True)), "", False, "unix:uid=0"),
        (request("agent.example.org", Peer("10.0.0.9")), "alice", False, "alice"),
        (request("a.example:443", Peer("10.0.0.9"), origin="https://A.example"), "alice", False, "alice"),
        (request("agent.example.org", Peer("10.0.0.9")), "cert:ops", False, "cert:ops"),
    ],
)
def test_these_may_control_and_are_named(asked, user, loopback_only, who):
    verdict = may_control(asked, user, loopback_only)
    assert (verdict.allowed, verdict.who, verdict.why) == (True, who, "")


@pytest.mark.parametrize(
    ("asked", "user", "loopback_only", "words"),
    [
        (request("agent.example.org", Peer("10.0.0.9")), "", False, HOW_TO_ALLOW),
        (request(), "", False, HOW_TO_ALLOW),  # loopback client, but the port is open to others as well
        (request("rebound.example.org:10919"), "", True, "expected a loopback name or address in Host"),
        (request("localhost.example.org"), "", True, "expected a loopback name or address in Host"),
        (request("127.0.0.1.example.org"), "", True, "expected a loopback name or address in Host"),
        (request(""), "", True, "expected a loopback name or address in Host"),
        (request(origin="https://evil.example.org"), "", True, "another web site (Origin: https://evil.example.org)"),
        (request(origin="null"), "", True, "another web site (Origin: null)"),
        (request(origin="http://localhost:8080"), "", True, "another web site"),
        (request(origin="http://localhost:10919/"), "", True, "another web site"),
        (request(sec_fetch_site="cross-site"), "", True, "another web site (Sec-Fetch-Site: cross-site)"),
        (request("a.example", Peer("10.0.0.9"), origin="https://evil.example"), "alice", False, "another web site"),
    ],
)
def test_these_may_not_and_are_told_why_in_one_line(asked, user, loopback_only, words):
    verdict = may_control(asked, user, loopback_only)
    assert (verdict.allowed, verdict.who) == (False, "")
    assert words in verdict.why
    assert "\n" not in verdict.why


def test_on_loopback_a_start_is_taken_and_named(serve):
    running = serve()
    got = running.get("/api/v1/tracers/fs/start", method="POST", body=b'{"for": "10m", "reason": "slow disk"}')
    assert (got.status, got.json) == (200, {"ok": True, "why": ""})
    assert running.agent.calls == [("start", "fs", 600.0, "slow disk", "loopback:127.0.0.1")]


@pytest.mark.parametrize("path", ["/-/reload", "/api/v1/tracers/fs/start", "/api/v1/tracers/fs/stop"])
def test_on_every_interface_without_a_password_nothing_is_taken(serve, path):
    running = serve(addresses=("0.0.0.0:0",))
    got = running.get(path, method="POST")
    assert got.status == 403
    assert "--web.config.file" in got.text
    assert running.agent.calls == []
    assert running.counted("scalpels_agent_http_refused_total", reason="control") == 1


def test_one_open_listener_is_enough_to_refuse_on_loopback_too(serve):
    running = serve(addresses=("127.0.0.1:0", ":0"))
    assert running.get("/-/reload", method="POST").status == 403


@pytest.mark.parametrize(
    "lines", [("Host: rebound.example.org",), ("Origin: https://evil.example.org",), ("Sec-Fetch-Site: cross-site",)]
)
def test_a_browser_that_was_tricked_is_refused(serve, lines):
    running = serve()
    assert running.get("/-/reload", *lines, method="POST").status == 403
    assert running.agent.calls == []


def test_the_listing_says_whether_and_why_not(serve):
    allowed = serve().get("/api/v1/tracers").json
    assert (allowed["controls"], allowed["controls_why"]) == (True, "")
    refused = serve(addresses=("0.0.0.0:0",)).get("/api/v1/tracers").json
    assert (refused["controls"], refused["controls_why"]) == (False, HOW_TO_ALLOW)
