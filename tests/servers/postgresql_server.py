"""A PostgreSQL of its own, and what pg_stat_statements and pg_stat_database say it did."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from loads.reports import SqlReport
from loads.schema import POSTGRESQL
from loads.verbs import verbs_of

from servers.server import LOOPBACK, program
from servers.sql_server import SqlServer

PROGRAMS = sorted(str(path) for path in Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
ADMINISTRATOR = "postgres"
UNCOUNTED = ("PREPARE", "EXECUTE", "DEALLOCATE")


@dataclass
class PostgreSqlCounts:
    """What happened in the database `shop` between two readings, which are made in another one.

    A statement that fails is not in pg_stat_statements; neither are the UNCOUNTED ones, nor what runs inside a
    function, nor a statement other than SELECT, INSERT, UPDATE, DELETE when it is executed again by its name. A backend
    says what belongs into pg_stat_database when it ends, or up to 10 s later.
    """

    calls: Counter[tuple[str, str]] = field(default_factory=Counter)  # (user, text without its literals)
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    database: Counter[str] = field(default_factory=Counter)  # columns of pg_stat_database that moved

    @property
    def verbs(self) -> Counter[str]:
        """Statements by verb, of every user."""
        found: Counter[str] = Counter()
        for user in {user for user, _ in self.calls}:
            found += self.verbs_by(user)
        return found

    def verbs_by(self, user: str) -> Counter[str]:
        found: Counter[str] = Counter()
        for (name, text), times in self.calls.items():
            if name == user:
                found[(verbs_of(text) or ("",))[0]] += times
        return found


class PostgreSql(SqlServer[PostgreSqlCounts, "Reading"]):
    """postgres with a database `shop` of the user `shop`; the keywords are settings of postgresql.conf."""

    name = system = "postgresql"
    counts = PostgreSqlCounts
    users = ("postgres",)
    stop = signal.SIGINT  # its fast end: clients are not waited for

    def __init__(self, *, tls: bool = False, max_connections: int = 200, **settings: str | int | bool) -> None:
        super().__init__(tls=tls)
        self.settings: dict[str, str | int | bool] = {
            "max_connections": max_connections,
            # Nothing of this data is kept.
            "fsync": False,
            "synchronous_commit": False,
            "full_page_writes": False,
            # Nothing but what clients do.
            "autovacuum": False,
            "max_wal_senders": 0,
            "shared_preload_libraries": "pg_stat_statements",
            "pg_stat_statements.max": 50_000,
            "pg_stat_statements.save": False,
            **settings,
        }

    @property
    def socket(self) -> Path:
        return self.folder / f".s.PGSQL.{self.port}"

    def prepare(self) -> None:
        word = self.folder / "password"
        word.write_text(self.password)
        self.own(word)
        super().prepare()
        self.run(
            [
                *(program("initdb", *PROGRAMS), f"--pgdata={self.data}", f"--username={ADMINISTRATOR}"),
                *(f"--pwfile={word}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"),
            ]
        )
        word.unlink()

    def command(self) -> Sequence[str | Path]:
        settings = {
            "listen_addresses": LOOPBACK,
            "port": self.port,
            "unix_socket_directories": self.folder,
            **self.settings,
            **({"ssl": True, "ssl_cert_file": self.certificate, "ssl_key_file": self.key} if self.certificate else {}),
        }
        said = [word for name, value in settings.items() for word in ("-c", f"{name}={_said(value)}")]
        return [program("postgres", *PROGRAMS), "-D", self.data, *said]

    def answers(self) -> bool:
        self.admin().close()
        return True

    def fill(self) -> None:
        with self.admin() as connection:
            connection.execute("CREATE DATABASE shop")
            connection.execute("CREATE EXTENSION pg_stat_statements")
        self.execute(*POSTGRESQL)
        self.add_user("shop")

    def admin(self, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        """A connection as the superuser over the Unix socket."""
        try:
            return psycopg.connect(
                host=str(self.folder),
                port=self.port,
                user=ADMINISTRATOR,
                password=self.password,
                dbname=database,
                autocommit=True,
            )
        except psycopg.OperationalError as error:
            raise ConnectionError(str(error)) from error

    def execute(self, *statements: str) -> None:
        """As the superuser, in `shop`."""
        with self.admin("shop") as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows that the superuser gets, in `shop`."""
        with self.admin("shop") as connection:
            return connection.execute(statement.encode()).fetchall()

    def add_user(self, name: str) -> None:
        """One more user of `shop`, with the same password: what it does is counted apart."""
        self.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{self.password}'", f"GRANT ALL ON SCHEMA public TO {name}")

    @staticmethod
    def countable(report: SqlReport) -> Counter[str]:
        """The part of a load's statements that has to be in `verbs`: what succeeded and is not among UNCOUNTED."""
        return Counter({verb: times for verb, times in report.without().items() if verb not in UNCOUNTED})

    def read(self, connection: psycopg.Connection[tuple[Any, ...]]) -> Reading:
        return _statements(connection), _database(connection)

    def fill_in(self, counts: PostgreSqlCounts, before: Reading, after: Reading) -> None:
        for key, (calls, rows) in after[0].items():
            calls_before, rows_before = before[0].get(key, (0, 0))
            if calls != calls_before:
                counts.calls[key] = calls - calls_before
                counts.rows[key] = rows - rows_before
        moved = {name: n - before[1][name] for name, n in after[1].items()}
        counts.database = Counter({name: n for name, n in moved.items() if n})


Reading = tuple[dict[tuple[str, str], tuple[int, int]], Counter[str]]  # calls and rows of each text; the database


def _said(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _statements(connection: psycopg.Connection[tuple[Any, ...]]) -> dict[tuple[str, str], tuple[int, int]]:
    """(user, text) → calls, rows."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for user, text, calls, rows in connection.execute(
        "SELECT usename, query, calls, rows FROM pg_stat_statements JOIN pg_user ON usesysid = userid"
        " WHERE dbid = (SELECT oid FROM pg_database WHERE datname = 'shop')"
    ):
        earlier = found.get((user, text), (0, 0))
        found[user, text] = (earlier[0] + calls, earlier[1] + rows)
    return found


def _database(connection: psycopg.Connection[tuple[Any, ...]]) -> Counter[str]:
    cursor = connection.execute("SELECT * FROM pg_stat_database WHERE datname = 'shop'")
    names = [column.name for column in cursor.description or ()]
    (row,) = cursor.fetchall()
    return Counter({name: n for name, n in zip(names, row, strict=True) if isinstance(n, int) and name != "datid"})
