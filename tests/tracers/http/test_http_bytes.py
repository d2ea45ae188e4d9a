"""Of whatever bytes: what is HTTP is counted once, the rest is no request, and no neighbour is lost."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest
from callers import lost
from http_truth import MARK, Counted, Watched, in_flight, routed
from loads.load import HttpLoad
from running import RunningAgent
from servers.python_servers import Gunicorn

pytestmark = [pytest.mark.root, pytest.mark.server]
Talk = Callable[..., None]
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND")
STATUSES = (200, 201, 204, 301, 304, 404, 500)


def split(data: bytes, chance: random.Random) -> list[bytes]:
    """The same bytes in several sends."""
    pieces = []
    while data:
        some = chance.choice((1, 1, 2, 3, 5, 20, 90, 1000))
        pieces.append(data[:some])
        data = data[some:]
    return pieces


def asked(data: bytes, chance: random.Random) -> list[str]:
    return [piece.hex() for piece in split(data, chance)]


def answered(data: bytes, chance: random.Random) -> list[str]:
    return ["<" + piece.hex() for piece in split(data, chance)]


def body(chance: random.Random) -> tuple[list[str], bytes]:
    """Headers, and the bytes that they announce: by length, in chunks with extensions and trailers, or none."""
    inside = chance.choice(
        (b"", b"x", b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 500 No\r\n\r\n" * 9, chance.randbytes(3000))
    )
    kind = chance.randrange(3)
    if kind == 0 or not inside:
        return [f"{chance.choice(('Content-Length', 'content-length', 'CONTENT-LENGTH'))}: {len(inside)}"], inside
    if kind == 1:
        return [f"Content-Length:{len(inside)}"], inside
    chunks = b""
    while inside:
        some = chance.choice((1, 2, 15, 16, 17, 700))
        chunks += b"%x%b\r\n%b\r\n" % (len(inside[:some]), chance.choice((b"", b";a=b", b" ")), inside[:some])
        inside = inside[some:]
    trailer = chance.choice((b"", b"X-Sum: 1\r\n", b"A: b\r\nContent-Length: 7\r\n"))
    return [chance.choice(("Transfer-Encoding: chunked", "transfer-encoding:  gzip, chunked"))], (
        chunks + b"0\r\n" + trailer + b"\r\n"
    )


def others(chance: random.Random) -> list[str]:
    """Headers that mean nothing here, some of which nearly do."""
    every = ["Host: x", "X-Long: " + "y" * 900, "Content-Type: a/b", "Contents-Length: 5", "X-Content-Length: 9", "A:"]
    return chance.sample(every, chance.randrange(len(every)))


def request(method: str, path: str, chance: random.Random) -> bytes:
    headers, inside = ([], b"") if method in ("GET", "HEAD", "DELETE") else body(chance)
    lines = [f"{method} {path} HTTP/1.1", *others(chance), *headers, *others(chance)]
    return "\r\n".join([*lines, "", ""]).encode() + inside


def answer(method: str, status: int, chance: random.Random) -> bytes:
    headers, inside = body(chance)
    if method == "HEAD" or status in (204, 304):
        inside = b""
    before = b"HTTP/1.1 100 Continue\r\n\r\n" * chance.randrange(2)
    lines = [f"HTTP/1.1 {status} Reason", *others(chance), *headers, *others(chance)]
    return before + "\r\n".join([*lines, "", ""]).encode() + inside


def path(chance: random.Random) -> str:
    some = chance.choice(
        ("/a", "/v2.1/servers/7/action", "/x/0123456789abcdef/y", "/" + "seg/" * 40, "/v1/AUTH_a1/c/o")
    )
    return some + chance.choice(("", "?name=canary&a=/b", "?" + "q" * 2000))


@pytest.mark.parametrize("kind", ["tcp", "pair"])
@pytest.mark.parametrize("seed", range(4))
def test_messages_split_anywhere_are_counted_once(
    start: Callable[..., RunningAgent], talk: Talk, seed: int, kind: str
) -> None:
    chance = random.Random(seed)
    agent = start(hostile=1)
    watched, truth = Watched(agent), Counter[tuple[str, int]]()
    for _ in range(12):
        pieces = []
        for _ in range(8):
            many = chance.choice((1, 1, 1, 2, 16))  # pipelined
            calls = [(chance.choice(METHODS), chance.choice(STATUSES)) for _ in range(many)]
            pieces += asked(b"".join(request(method, path(chance), chance) for method, _ in calls), chance)
            pieces += answered(b"".join(answer(method, status, chance) for method, status in calls), chance)
            truth.update((method if method != "PROPFIND" else "other", status) for method, status in calls)
        talk(kind, *pieces)
    seen = watched.after()
    for side in ("client", "server"):
        assert by_method(seen.requests("hostile", side)) == truth
        assert seen.complete("hostile", side) == truth.total()
        assert in_flight(agent, side, "hostile") == 0
    assert lost(agent) == {}
    assert "canary" not in str(agent.samples())


def by_method(found: Counted) -> Counter[tuple[str, int]]:
    total: Counter[tuple[str, int]] = Counter()
    for (method, status, _), count in found.items():
        total[method, status] += count
    return total


def packet(pairs: dict[str, str]) -> bytes:
    """A request of uWSGI's protocol."""
    inside = b"".join(len(text).to_bytes(2, "little") + text.encode() for pair in pairs.items() for text in pair)
    return b"\0" + len(inside).to_bytes(2, "little") + b"\0" + inside


@pytest.mark.parametrize("seed", range(4))
def test_packets_of_uwsgi_split_anywhere_are_counted_once(
    start: Callable[..., RunningAgent], talk: Talk, seed: int
) -> None:
    chance = random.Random(seed)
    agent = start(hostile=1)
    watched, truth = Watched(agent), Counted()
    for number in range(40):
        method, status = chance.choice(METHODS[:-1]), chance.choice(STATUSES)
        inside = chance.randbytes(chance.choice((0, 1, 5000))) if method in ("POST", "PUT") else b""
        pairs = {
            "QUERY_STRING": "name=canary",
            "REQUEST_METHOD": method,
            "CONTENT_LENGTH": str(len(inside)) if inside else "",
            "PATH_INFO": f"/wrong/{number}",
            "HTTP_COOKIE": "z" * chance.choice((0, 30, 3000)),
            "REQUEST_URI": f"/v2.1/servers/{number}/action?name=canary",
        }
        names = list(pairs)
        chance.shuffle(names)
        said = packet({name: pairs[name] for name in names}) + inside
        talk("tcp", *asked(said, chance), *answered(answer(method, status, chance), chance))
        truth[method, status, "/v2.1/servers/{id}/action"] += 1
    seen = watched.after()
    assert seen.requests("hostile", "client") == truth
    assert seen.requests("hostile", "server") == truth
    assert lost(agent) == {}
    assert "canary" not in str(agent.samples())


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
