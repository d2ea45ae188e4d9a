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


def packet(**pairs: str) -> bytes:
    inside = b"".join(len(text).to_bytes(2, "little") + text.encode() for pair in pairs.items() for text in pair)
    return b"\0" + len(inside).to_bytes(2, "little") + b"\0" + inside


def work() -> None:
    get = b"GET /v2.1/servers/8c0a4f5e-7d0f-4c0a-9a55-1f6f0a3c9b11?a=b HTTP/1.1\r\nX: " + b"y" * 900 + b"\r\n\r\n"
    post = b"POST /orders HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    good = b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000
    made = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
    )
    exchange(*[(get, good)] * 10, *[(post, made)] * 5, (get * 4, good * 4))
    asked = packet(REQUEST_METHOD="PUT", CONTENT_LENGTH="3", REQUEST_URI="/v2.0/ports/17?b=c", HTTP_COOKIE="z" * 900)
    exchange((asked + b"abc", b"HTTP/1.1 409 Conflict\r\n\r\nno"))
    exchange(
        (b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), (get, good)
    )
    exchange((b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(500), good))


REQUESTS = {
    ("GET", "200", "/v2.1/servers/{id}"): 14,
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
        f'scalpels_http_{name}_total{{{labels}side="{side}"}}': 1
        for side in ("client", "server")
        for name, labels in (("upgrades", ""), ("unreadable_connections", 'reason="tls",'))
    },
}
