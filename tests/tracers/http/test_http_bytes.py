"""Of whatever bytes: what is HTTP is counted once, the rest is no request, and no neighbour is lost."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from http_messages import answer, path, request, split
from http_truth import MARK, Counted, Watched, in_flight, routed
from loads.load import HttpLoad
from running import RunningAgent
from servers.python_servers import Gunicorn

pytestmark = [pytest.mark.root, pytest.mark.server]
Talk = Callable[..., None]


def asked(data: bytes, chance: random.Random) -> list[str]:
    return [piece.hex() for piece in split(data, chance)]


def answered(data: bytes, chance: random.Random) -> list[str]:
    return ["<" + piece.hex() for piece in split(data, chance)]


def test_garbage_hurts_no_neighbour_and_is_no_request(start: Callable[..., RunningAgent], talk: Talk) -> None:
    chance = random.Random(71)
    with Gunicorn("gthread", threads=8) as server, HttpLoad("requests", server.target(), MARK) as load:
        load.do("connect", count=4)
        agent = start(server, load=1, hostile=1)
        watched = Watched(agent)
        load.say("run", mix="api", count=3200)
        for _ in range(300):
            sizes = [chance.choice((1, 3, 4, 5, 17, 64, 65, 700)) for _ in range(6)]
            talk(chance.choice(("tcp", "pair")), *(chance.randbytes(size).hex() for size in sizes))
        report = load.hear()
        seen = watched.after()
        assert seen.requests("load", "client") == seen.requests("server", "server") == routed(report.requests)
        assert seen.requests("hostile", "client") == seen.requests("hostile", "server") == Counted()


def test_broken_messages_hurt_no_neighbour_and_leave_nothing_in_flight(
    start: Callable[..., RunningAgent], talk: Talk
) -> None:
    chance = random.Random(72)
    with Gunicorn("gthread", threads=8) as server, HttpLoad("urllib3", server.target(), MARK) as load:
        load.do("connect", count=4)
        agent = start(server, load=1, hostile=1)
        watched = Watched(agent)
        load.say("run", mix="api", count=3200)
        for _ in range(200):
            said = bytearray(request("POST", path(chance), chance) * 2)
            heard = bytearray(answer("POST", 200, chance) * 2)
            for text in (said, heard):
                for _ in range(chance.randrange(6)):
                    text[chance.randrange(len(text))] = chance.randrange(256)
                del text[chance.randrange(len(text)) :]
            talk("tcp", *asked(bytes(said), chance), *answered(bytes(heard), chance))
        report = load.hear()
        seen = watched.after()
        assert seen.requests("load", "client") == seen.requests("server", "server") == routed(report.requests)
        assert in_flight(agent, "client", "hostile") == in_flight(agent, "server", "hostile") == 0
        assert agent.value("scalpels_worker_up", tracer="http") == 1


def test_a_body_that_is_shorter_than_its_length_ends_where_the_next_answer_begins(
    start: Callable[..., RunningAgent], talk: Talk
) -> None:
    agent = start(hostile=1)
    watched = Watched(agent)
    ask, head = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n".hex(), b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n".hex()
    talk("tcp", *[ask, "<" + head] * 5)
    seen = watched.after()
    for side in ("client", "server"):
        assert seen.requests("hostile", side) == Counted({("GET", 200, "/a"): 5})
        assert seen.complete("hostile", side) == 0


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(500), "tls"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "http2"),
    ],
)
def test_what_cannot_be_read_is_counted_and_never_guessed_at(
    start: Callable[..., RunningAgent], talk: Talk, said: bytes, reason: str
) -> None:
    agent = start(hostile=1)
    watched = Watched(agent)
    for _ in range(3):
        talk("tcp", said.hex(), "<" + b"HTTP/1.1 200 OK\r\n\r\n".hex(), b"GET / HTTP/1.1\r\n\r\n".hex())
    seen = watched.after()
    for side in ("client", "server"):
        name = "scalpels_http_unreadable_connections_total"
        assert seen.total(name, program="hostile", side=side, reason=reason) == 3
        assert seen.requests("hostile", side) == Counted()


def test_what_follows_connect_is_left_alone(start: Callable[..., RunningAgent], talk: Talk) -> None:
    agent = start(hostile=1)
    watched = Watched(agent)
    inside = b"GET /inside HTTP/1.1\r\n\r\n".hex()
    talk(
        "tcp",
        b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n".hex(),
        "<" + b"HTTP/1.1 200 Connection established\r\n\r\n".hex(),
        *[inside, "<" + b"HTTP/1.1 200 OK\r\n\r\n".hex()] * 3,
    )
    seen = watched.after()
    for side in ("client", "server"):
        assert seen.requests("hostile", side) == Counted({("CONNECT", 200, "/"): 1})
        assert seen.total("scalpels_http_upgrades_total", program="hostile", side=side) == 1
