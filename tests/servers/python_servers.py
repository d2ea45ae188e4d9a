"""gunicorn with each of its workers, eventlet.wsgi and aiohttp.web: servers in Python, run as the tests' own user."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from servers.http_server import HttpServer
from servers.server import LOOPBACK

SECONDS = 1.0


class Gunicorn(HttpServer):
    """`worker`: sync, gthread or eventlet."""

    name = "gunicorn"

    def __init__(
        self, worker: str = "sync", *, workers: int = 2, threads: int = 4, keepalive: int = 30, tls: bool = False
    ) -> None:
        super().__init__(tls=tls)
        self._worker = worker
        self._workers, self._threads, self._keepalive = workers, threads, keepalive

    def command(self) -> Sequence[str | Path]:
        threads = [f"--threads={self._threads}"] if self._worker == "gthread" else []
        tls = [f"--certfile={self.certificate}", f"--keyfile={self.key}"] if self.certificate else []
        return [
            *(sys.executable, "-m", "gunicorn", f"--worker-class={self._worker}", f"--workers={self._workers}"),
            *(f"--bind={LOOPBACK}:{self.port}", f"--bind=unix:{self.socket}", f"--keep-alive={self._keepalive}"),
            *(f"--access-logfile={self.access}", "--access-logformat=%(m)s %(U)s\t%(s)s\t%(B)s\t%(D)s"),
            *("--graceful-timeout=2", "--no-control-socket", f"--worker-tmp-dir={self.folder}", *threads, *tls),
            "servers.apps.wsgi_app:application",
        ]


class EventletWsgi(HttpServer):
    """eventlet.wsgi in one process."""

    name = "eventlet"
    unit = SECONDS

    def command(self) -> Sequence[str | Path]:
        line = "%(request_line)s\t%(status_code)s\t%(body_length)s\t%(wall_seconds).6f"
        return [
            *(sys.executable, "-W", "ignore::DeprecationWarning", "-m", "servers.apps.eventlet_app"),
            *(str(self.port), self.socket, self.access, line, *self.keys()),
        ]


class AiohttpWeb(HttpServer):
    """aiohttp.web in one process; it has a websocket at /ws."""

    name = "aiohttp"

    def command(self) -> Sequence[str | Path]:
        line = "%r\t%s\t%b\t%D"
        return [
            sys.executable,
            "-m",
            "servers.apps.aiohttp_app",
            str(self.port),
            self.socket,
            self.access,
            line,
            *self.keys(),
        ]
