"""A little HTTP over socket pairs, and what the tracer must show of it under every kernel (tests/kernels)."""

import socket
from typing import Any

PARAMETERS: dict[str, Any] = {}


def exchange(*pairs: tuple[bytes, bytes]) -> None:
    """Question and answer on one connection; the answer in two pieces of one call."""
    client, server = socket.socketpair()
    for question, answer in pairs:
        client.sendall(question)
        server.recv(100_000)
        server.sendmsg([answer[:9], answer[9:]])
        client.recv(100_000)
    client.close()
    server.close()


def broken_off(question: bytes) -> None:
    """Nobody answers: over TCP, whose sockets tell when they are closed, and over a Unix socket, which does not."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    client.sendall(question)
    server.recv(100_000)
    server.close()
    client.recv(1)
    client.close()
    client, server = socket.socketpair()
    client.sendall(question)
    server.recv(100_000)
    server.close()
    client.close()


def packet(**pairs: str) -> bytes:
    inside = b"".join(len(text).to_bytes(2, "little") + text.encode() for pair in pairs.items() for text in pair)
    return b"\0" + len(inside).to_bytes(2, "little") + b"\0" + inside


GET = b"GET /v2.1/servers/8c0a4f5e-7d0f-4c0a-9a55-1f6f0a3c9b11?a=b HTTP/1.1\r\nX: " + b"y" * 900 + b"\r\n\r\n"
SHORT = b"GET /v2.1/servers/7 HTTP/1.1\r\n\r\n"
POST = b"POST /orders HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000
MADE = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
PUT = packet(REQUEST_METHOD="PUT", CONTENT_LENGTH="3", REQUEST_URI="/v2.0/ports/17?b=c", HTTP_COOKIE="z" * 900)
UPGRADE = b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
ENCRYPTED = b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(500)
READABLE = (
    (*[(GET, GOOD)] * 10, *[(POST, MADE)] * 5, (GET * 4, GOOD * 4)),
    ((SHORT * 17, GOOD * 17),),  # one more than can be told apart
    ((PUT + b"abc", b"HTTP/1.1 409 Conflict\r\n\r\nno"),),
    ((UPGRADE, UPGRADED),),
)


def work() -> None:
    *plain, upgrade = READABLE
    for pairs in plain:
        exchange(*pairs)
    exchange(*upgrade, (GET, GOOD))  # what comes after it is no HTTP
    exchange((ENCRYPTED, GOOD))
    broken_off(GET)


def moved(place: int) -> int:
    """Bytes of all questions (0) or answers (1) that can be read."""
    return sum(len(pair[place]) for pairs in (*READABLE, [(GET, b"")] * 2) for pair in pairs)


REQUESTS = {
    ("GET", "200", "/v2.1/servers/{id}"): 14 + 16,
    ("POST", "201", "/orders"): 5,
    ("PUT", "409", "/v2.0/ports/{id}"): 1,
    ("GET", "101", "/ws"): 1,
}
COUNTS = {
    **{
        f'scalpels_http_{side}_seconds_count{{method="{method}",route="{route}",status="{status}"}}': count
        for side in ("client", "server")
        for (method, status, route), count in REQUESTS.items()
    },
    **{
        f'scalpels_http_{side}_complete_seconds_count{{method="{method}",status="{status}"}}': count
        for side in ("client", "server")
        for method, status, count in (("GET", "200", 14 + 16), ("POST", "201", 5))  # the length of others is not told
    },
    **{
        f'scalpels_http_{name}_bytes_total{{side="{side}"}}': moved(place)
        for side in ("client", "server")
        for place, name in enumerate(("request", "answer"))
    },
    **{
        f'scalpels_http_{name}_total{{{labels}side="{side}"}}': count
        for side in ("client", "server")
        for name, labels, count in (
            ("unanswered", "", 2),
            ("untimed_answers", "", 1),
            ("upgrades", "", 1),
            ("unreadable_connections", 'reason="tls",', 1),
        )
    },
}
