"""Bytes on a socket pair; the tracer counts them for all programs together (tests/kernels)."""

import socket
from typing import Any

PARAMETERS: dict[str, Any] = {}


def work() -> None:
    one, two = socket.socketpair()
    for _ in range(10):
        one.sendall(b"x")
        two.recv(1)
    one.close()
    two.close()


COUNTS: dict[str, float] = {}
