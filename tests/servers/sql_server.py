"""What the databases of the tests have in common: users and targets of loads, TLS, counts between two readings."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from loads.target import Target

from servers.certificate import make_certificate
from servers.server import LOOPBACK, Server

Counts = TypeVar("Counts")  # what it did between two readings
Reading = TypeVar("Reading")


class SqlServer(Server, Generic[Counts, Reading]):
    """`system` is its name in the loads; `certificate` is there with `tls`."""

    system: str
    counts: type[Counts]

    def __init__(self, *, tls: bool) -> None:
        super().__init__()
        self.password = secrets.token_hex(8)
        self.certificate: Path | None = None
        self.key: Path | None = None
        self._tls = tls

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def prepare(self) -> None:
        if self._tls:
            self.certificate, self.key = make_certificate(self.folder)
            self.own(self.certificate, self.key)

    def admin(self) -> AbstractContextManager[Any]:
        """A connection as the administrator over the Unix socket."""
        raise AssertionError(f"{self.name} has no administrator")

    def read(self, connection: Any) -> Reading:
        raise AssertionError(f"{self.name} cannot be read")

    def fill_in(self, counts: Counts, before: Reading, after: Reading) -> None:
        """What the second reading has more than the first, less what reading itself adds."""
        raise AssertionError(f"{self.name} does not count")

    @contextmanager
    def counting(self) -> Iterator[Counts]:
        """Is filled when the block ends. The two readings are made by a connection that was opened before; inside the
        block this sends nothing."""
        counts = self.counts()
        with self.admin() as connection:
            before = self.read(connection)
            self._watching += 1
            try:
                yield counts
            finally:
                self._watching -= 1
            self.fill_in(counts, before, self.read(connection))

    def target(self, *, user: str = "shop", unix: bool = False) -> Target:
        """Where and as whom a load connects."""
        return Target(
            system=self.system,
            host=LOOPBACK,
            port=self.port,
            socket=str(self.socket) if unix else "",
            user=user,
            password=self.password,
            database="shop",
            certificate=str(self.certificate or ""),
        )
