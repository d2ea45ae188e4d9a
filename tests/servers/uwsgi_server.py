"""uWSGI with the tests' application, speaking HTTP or its own binary protocol."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

from servers.http_server import TESTS, HttpServer
from servers.server import LOOPBACK, Server, program

# Of the port and of the Unix socket. uWSGI 2.0.21 gets stuck when it is to keep connections of a Unix socket.
OPTIONS = {
    "http11": ("http11-socket", "http-socket"),
    "http": ("http-socket", "http-socket"),
    "uwsgi": ("socket", "socket"),
}


class Uwsgi(HttpServer):
    """`protocol`: http11 (connections are kept), http (they are not), or uwsgi, which a front server speaks to it.

    The same protocol is spoken on the port and on the Unix socket, but that the latter never keeps a connection. Where
    it keeps none, it does not say so: loads need their option `close`. It says no 100 Continue and takes no chunked
    bodies.
    """

    name = "uwsgi"

    def __init__(self, protocol: str = "http11", *, workers: int = 2, threads: int = 4) -> None:
        super().__init__()
        self.protocol = protocol
        self._workers, self._threads = workers, threads

    def command(self) -> Sequence[str | Path]:
        port, path = OPTIONS[self.protocol]
        return [
            *(program("uwsgi-core"), "--plugin=python3", "--need-plugin=logfile", "--master", "--die-on-term"),
            *(f"--{port}={LOOPBACK}:{self.port}", f"--{path}={self.socket}", "--chmod-socket=666"),
            *(f"--processes={self._workers}", f"--threads={self._threads}", "--listen=100", "--need-app"),
            *(f"--pythonpath={TESTS}", "--module=servers.apps.wsgi_app", "--lazy-apps", "--no-orphans"),
            # Workers hand their lines to the master over a socket: one that begins with a method would be a request.
            *(f"--req-logger=file:{self.access}", "--log-format=\t%(method) %(uri)\t%(status)\t%(rsize)\t%(micros)"),
            *("--buffer-size=32768", "--enable-threads", "--socket-timeout=60", "--worker-reload-mercy=2"),
        ]

    def answers(self) -> bool:
        if self.protocol != "uwsgi":
            return super().answers()
        with socket.create_connection((LOOPBACK, self.port), 1):
            return "spawned uWSGI worker" in self.log.read_text()

    def environment(self) -> dict[str, str]:
        by_hand = {"CHUNKS_BY_HAND": "yes"} if self.protocol == "http11" else {}
        return {**Server.environment(self), "PYTHONDONTWRITEBYTECODE": "1", **by_hand}
