"""A client of a few lines that sends exactly the bytes that a test wants. Reads answers as HTTP/1.1 frames them."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import orjson


@dataclass(frozen=True)
class Got:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


class Client:
    def __init__(self, sock: socket.socket, context: ssl.SSLContext | None = None) -> None:
        self.socket = context.wrap_socket(sock, server_hostname="localhost") if context else sock
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, method: str, path: str, *lines: str, body: bytes = b"") -> Got:
        head = [f"{method} {path} HTTP/1.1", *lines]
        if not any(line.lower().startswith("host:") for line in lines):
            head.append("Host: localhost")
        if body:
            head.append(f"Content-Length: {len(body)}")
        self.send(("\r\n".join(head) + "\r\n\r\n").encode() + body)
        return self.answer(head_only=method == "HEAD")

    def answer(self, *, head_only: bool = False) -> Got:
        line = self.file.readline()
        if not line:
            raise ConnectionResetError("no answer: the server closed the connection")
        status = int(line.split()[1])
        headers = {}
        while (line := self.file.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        length = 0 if head_only else int(headers.get("content-length", 0))
        return Got(status, headers, self.file.read(length))

    def ended(self) -> bool:
        """Waits for the end of the connection; False where the server sends something instead."""
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True
