"""Basic authentication: right, wrong, remembered, and a flood of wrong ones that starves nobody."""

from __future__ import annotations

import base64
import socket
import threading
import time

import bcrypt
import pytest
from web_client import Client

REFUSED = "scalpels_agent_http_refused_total"


def hashed(password: str, cost: int = 4) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


def basic(user: str, password: str) -> str:
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def users(tmp_path):
    """users(alice="hash", …) writes the configuration."""

    def write(**hashes: str):
        path, fresh = tmp_path / "web.yml", tmp_path / "fresh.yml"
        fresh.write_text("basic_auth_users:\n" + "".join(f"  {name}: {value}\n" for name, value in hashes.items()))
        fresh.replace(path)
        return path

    return write


@pytest.mark.parametrize(
    "path", ["/metrics", "/", "/-/healthy", "/-/ready", "/api/v1/tracers", "/nowhere", "/page/page.js"]
)
def test_every_path_asks_for_the_password(serve, users, path):
    got = serve(config=users(alice=hashed("right"))).get(path)
    assert got.status == 401
    assert got.headers["www-authenticate"] == 'Basic realm="scalpels-exporter", charset="UTF-8"'


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (basic("alice", "right"), 200),
        (basic("alice", "wrong"), 401),
        (basic("alice", ""), 401),
        (basic("mallory", "right"), 401),
        (basic("alice", "right") + "x", 401),
        (basic("alice", "ri\0ght"), 401),
        (basic("alice", "x" * 5000), 401),
        ("Authorization: basic " + base64.b64encode(b"alice:right").decode(), 200),
        ("Authorization: Basic", 401),
        ("Authorization: Basic !!!", 401),
        ("Authorization: Basic " + base64.b64encode(b"alice").decode(), 401),
        ("Authorization: Basic " + base64.b64encode(b"\xff:\xff").decode(), 401),
        ("Authorization: Bearer right", 401),
    ],
)
def test_only_the_right_password_is_let_in(serve, users, line, status):
    assert serve(config=users(alice=hashed("right"))).get("/metrics", line).status == status


def test_a_password_longer_than_bcrypt_looks_at_is_cut_as_htpasswd_cuts_it(serve, users):
    running = serve(config=users(alice=hashed("p" * 72)))
    assert running.get("/metrics", basic("alice", "p" * 80)).status == 200


def test_a_user_may_control_over_any_address_and_is_named(serve, users):
    running = serve(addresses=("0.0.0.0:0",), config=users(alice=hashed("right")))
    assert running.get("/-/reload", basic("alice", "right"), method="POST").status == 200
    assert running.agent.calls == [("reload", "alice")]
    evil = running.get("/-/reload", basic("alice", "right"), "Origin: https://evil.example", method="POST")
    assert evil.status == 403


def test_the_unix_socket_asks_for_none(serve, users, tmp_path):
    path = tmp_path / "agent.sock"
    serve(addresses=(f"unix:{path}",), config=users(alice=hashed("right")))
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(path))
    with Client(sock) as client:
        assert client.ask("GET", "/metrics").status == 200


def test_a_password_that_was_right_once_costs_no_bcrypt(serve, users):
    running = serve(config=users(alice=hashed("right", 12)))
    times = []
    with running.client() as client:
        for _ in range(4):
            started = time.monotonic()
            assert client.ask("GET", "/-/healthy", basic("alice", "right")).status == 200
            times.append(time.monotonic() - started)
    assert times[0] > 4 * min(times[1:])


def test_an_unknown_user_takes_as_long_as_a_wrong_password(serve, users):
    running = serve(config=users(alice=hashed("right", 10), bob=hashed("right", 4)))

    def seconds(user: str, password: str) -> float:
        started = time.monotonic()
        assert running.get("/-/healthy", basic(user, password)).status == 401
        return time.monotonic() - started

    known = min(seconds("alice", f"wrong{n}") for n in range(4))
    unknown = min(seconds(f"mallory{n}", "wrong") for n in range(4))
    assert 0.5 < unknown / known < 2


def test_a_changed_file_ends_what_was_remembered(serve, users):
    running = serve(config=users(alice=hashed("old")), refresh_seconds=0.0)
    with running.client() as client:
        assert client.ask("GET", "/metrics", basic("alice", "old")).status == 200
        users(alice=hashed("new"))
        assert client.ask("GET", "/metrics", basic("alice", "old")).status == 401
        assert client.ask("GET", "/metrics", basic("alice", "new")).status == 200


def test_nothing_secret_is_logged(serve, users, caplog, tmp_path):
    caplog.set_level(0)
    running = serve(config=users(alice=hashed("right")), refresh_seconds=0.0)
    running.get("/metrics", basic("alice", "right"))
    running.get("/metrics", basic("alice", "hunter2"))
    (tmp_path / "web.yml").write_text("basic_auth_users:\n  alice: hunter2\n")
    running.get("/metrics", basic("alice", "right"))
    assert "stays in force" in caplog.text
    for secret in ("hunter2", "right", basic("alice", "right").rpartition(" ")[2]):
        assert secret not in caplog.text.replace("copyright", "")


def test_wrong_passwords_in_a_loop_neither_starve_an_honest_scraper_nor_a_new_log_in(serve, users):
    running = serve(config=users(alice=hashed("right", 10)))
    assert running.get("/metrics", basic("alice", "right")).status == 200
    stop = threading.Event()
    seen: list[int] = []

    def attack(number: int) -> None:
        sock = socket.create_connection(
            ("127.0.0.1", running.port), 10, source_address=(f"127.0.0.{2 + number % 2}", 0)
        )
        with Client(sock) as client:
            tries = 0
            while not stop.is_set():
                tries += 1
                seen.append(client.ask("GET", "/metrics", basic("alice", f"{number}-{tries}")).status)

    attackers = [threading.Thread(target=attack, args=(number,)) for number in range(12)]
    for attacker in attackers:
        attacker.start()
    try:
        slowest = 0.0
        while len(seen) < 300:
            started = time.monotonic()
            assert running.get("/metrics", basic("alice", "right")).status == 200
            slowest = max(slowest, time.monotonic() - started)
        assert slowest < 1.0  # the deadline of a scrape that says nothing
        # One who is not known yet, from another address, is asked to wait his turn, and is let in.
        assert running.get("/metrics", basic("bob", "other")).status == 401
    finally:
        stop.set()
        for attacker in attackers:
            attacker.join()
    assert set(seen) == {401, 429}
    assert running.counted(REFUSED, reason="authentication_queue") > 0


def test_a_full_queue_is_answered_503(serve, users):
    running = serve(config=users(alice=hashed("right", 12)), password_queue=1)
    with running.client() as one, running.client() as two:
        for client, password in ((one, "a"), (two, "b")):
            line = basic("alice", password)
            client.send(f"GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n".encode())
        answers = [one.answer(), two.answer()]
    assert sorted(answer.status for answer in answers) == [401, 503]
    assert next(answer for answer in answers if answer.status == 503).headers["retry-after"] == "1"


def test_more_requests_than_the_rate_limit_are_answered_429(serve, tmp_path):
    path = tmp_path / "web.yml"
    path.write_text("rate_limit: {interval: 1m, burst: 3}\n")
    running = serve(config=path)
    got = [running.get("/-/healthy") for _ in range(4)]
    assert [answer.status for answer in got] == [200, 200, 200, 429]
    assert 50 < int(got[3].headers["retry-after"]) <= 60
    assert running.counted(REFUSED, reason="rate") == 1
