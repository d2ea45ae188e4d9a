"""What the HTTP servers of the tests have in common: the access log's form, a readiness check, a target for loads."""

from __future__ import annotations

import http.client
import os
import ssl
import sys
from pathlib import Path

from loads.target import Target

from servers.access_log import READINESS, AccessLog
from servers.certificate import make_certificate
from servers.server import LOOPBACK, Server

TESTS = Path(__file__).parent.parent
MICROSECONDS = 1e-6


class HttpServer(Server):
    """Answers on `port`, and on `socket` where the server can."""

    has_socket = True
    unit = MICROSECONDS  # of the access log's time

    def __init__(self, *, tls: bool = False) -> None:
        super().__init__()
        self._tls = tls
        self.certificate: Path | None = None
        self.key: Path | None = None

    def prepare(self) -> None:
        if self._tls:
            self.certificate, self.key = make_certificate(self.folder)
            self.own(self.certificate, self.key)

    @property
    def access(self) -> Path:
        return self.folder / "access.log"

    def keys(self) -> list[Path]:
        """Certificate and key; nothing without TLS."""
        return [self.certificate, self.key] if self.certificate and self.key else []

    def environment(self) -> dict[str, str]:
        paths = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
        return {
            **super().environment(),
            "PATH": paths,
            "PYTHONPATH": str(TESTS),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }

    def answers(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=2)
        if self.certificate:
            context = ssl.create_default_context(cafile=str(self.certificate))
            connection = http.client.HTTPSConnection(LOOPBACK, self.port, timeout=2, context=context)
        try:
            connection.request("GET", READINESS)
            return connection.getresponse().status in (200, 404)
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()

    def counting(self) -> AccessLog:
        """The truth about what is served from now on."""
        return AccessLog(self.access, self.unit)

    def target(self, *, unix: bool = False) -> Target:
        """Where a load connects."""
        assert self.has_socket or not unix, f"{self.name} has no Unix socket"
        return Target(
            system="http",
            host=LOOPBACK,
            port=self.port,
            socket=str(self.socket) if unix else "",
            certificate=str(self.certificate or ""),
        )
