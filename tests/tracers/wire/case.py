"""Bytes on a socket pair; the tracer counts them for all programs together (tests/kernels)."""

import socket
from typing import Any

PARAMETERS: dict[str, Any] = {}
# Of the switch tls, which tests/kernels/inside/test_inside_tls.py has on.
LEFT_OUT = {"scalpels_wire_tls_calls_total", "scalpels_wire_tls_files"}


def work() -> None:
    one, two = socket.socketpair()
    for _ in range(10):
        one.sendall(b"x")
        two.recv(1)
    one.close()
    two.close()


COUNTS: dict[str, float] = {}
