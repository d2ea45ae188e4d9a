"""A MariaDB and a RabbitMQ of the demo's own: those of the tests, which leave the machine's own alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from servers.mariadb_server import MariaDb
from servers.rabbitmq_server import RabbitMq

TABLE = (
    "CREATE TABLE instances (id CHAR(36) PRIMARY KEY, name VARCHAR(80) NOT NULL, state VARCHAR(20) NOT NULL,"
    " changed DATETIME(6) NOT NULL, KEY (changed))"
)


@dataclass(frozen=True, slots=True)
class Backends:
    """Where they are, as the services are told by their environment."""

    database_port: int
    database_password: str
    broker: str

    def environment(self) -> dict[str, str]:
        return {
            "DEMO_DATABASE_PORT": str(self.database_port),
            "DEMO_DATABASE_PASSWORD": self.database_password,
            "DEMO_BROKER": self.broker,
        }


@contextmanager
def backends() -> Iterator[Backends]:
    """Both answer; the database `shop` of the user `shop` has the table of instances."""
    with ExitStack() as stack:
        database = stack.enter_context(MariaDb(userstat=False))
        database.execute(TABLE)
        broker = stack.enter_context(RabbitMq()).target()
        url = f"rabbit://{broker.user}:{broker.password}@{broker.host}:{broker.port}/"
        yield Backends(database.port, database.password, url)
