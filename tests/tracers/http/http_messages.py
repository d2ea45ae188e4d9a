"""Messages of HTTP and of uWSGI's protocol as chance makes them: all ways to say a length, headers that mislead."""

from __future__ import annotations

import random
from collections.abc import Sequence

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND")
STATUSES = (200, 201, 204, 301, 304, 404, 500)
NOISE = random.Random(73).randbytes(3000)


def split(data: bytes, chance: random.Random, lengths: Sequence[int] = (1, 1, 2, 3, 5, 20, 90, 1000)) -> list[bytes]:
    """The same bytes in pieces: small ones at first, and at most some forty."""
    pieces = []
    while data:
        some = chance.choice(lengths) if len(pieces) < 40 else max(lengths)
        pieces.append(data[:some])
        data = data[some:]
    return pieces


def body(chance: random.Random) -> tuple[list[str], bytes]:
    """Headers, and the bytes that they announce: by length, in chunks with extensions and trailers, or none."""
    inside = chance.choice((b"", b"x", b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 500 No\r\n\r\n" * 9, NOISE))
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


def question(method: str, number: int, chance: random.Random) -> bytes:
    """A request of uWSGI's protocol, for the route /v2.1/servers/{id}/action."""
    inside = chance.choice((b"", b"x", NOISE)) if method in ("POST", "PUT") else b""
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
    return packet({name: pairs[name] for name in names}) + inside


def packet(pairs: dict[str, str]) -> bytes:
    """A request of uWSGI's protocol."""
    inside = b"".join(len(text).to_bytes(2, "little") + text.encode() for pair in pairs.items() for text in pair)
    return b"\0" + len(inside).to_bytes(2, "little") + b"\0" + inside
