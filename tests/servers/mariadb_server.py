"""A MariaDB of its own, and what its status variables, user statistics and performance schema say it did."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql
from loads.reports import SqlReport
from loads.schema import MARIADB

from servers.server import LOOPBACK, program
from servers.sql_server import SqlServer

# The commands that are counted under more than one name, or under another than their first word.
VERBS = {
    "call_procedure": "CALL",
    "change_db": "USE",
    "delete_multi": "DELETE",
    "execute_sql": "EXECUTE",
    "insert_select": "INSERT",
    "prepare_sql": "PREPARE",
    "replace_select": "REPLACE",
    "set_option": "SET",
    "update_multi": "UPDATE",
}
# Commands of the protocol, not statements: they have no verb.
PROTOCOL = ("admin_commands", "multi", "stmt_")


@dataclass
class MariaDbCounts:
    """What a MariaDB did between two readings. Of the readings themselves nothing is left in `status["Com_…"]`,
    `verbs` and the users other than the administrator; `Queries`, `Bytes_sent` and the like do contain them."""

    status: Counter[str] = field(default_factory=Counter)  # every numeric global status variable that moved
    users: dict[str, Counter[str]] = field(default_factory=dict)  # user → column of USER_STATISTICS → what it moved

    @property
    def verbs(self) -> Counter[str]:
        """Statements by verb, failed ones included; not those that could not be parsed (1064). A procedure's inner
        statements are among them; a prepared statement counts whenever it is executed."""
        found: Counter[str] = Counter()
        for name, times in self.status.items():
            command = name.removeprefix("Com_")
            if name.startswith("Com_") and not command.startswith(PROTOCOL):
                found[VERBS.get(command, command.split("_")[0].upper())] += times
        return found

    @property
    def prepared(self) -> Counter[str]:
        """COM_STMT_* by what they do: prepare, execute, close, reset, fetch, send_long_data."""
        prefix = "Com_stmt_"
        return Counter({name.removeprefix(prefix): n for name, n in self.status.items() if name.startswith(prefix)})


class MariaDb(SqlServer[MariaDbCounts, "Reading"]):
    """mariadbd with a database `shop` of the user `shop`; the keywords are options of mariadbd (`_` for `-`)."""

    name = "mariadb"
    system = "mysql"
    counts = MariaDbCounts
    users = ("mysql", "nobody")

    def __init__(
        self,
        *,
        tls: bool = False,
        userstat: bool = True,
        performance_schema: bool = False,
        max_connections: int = 200,
        **options: str | int | bool,
    ) -> None:
        super().__init__(tls=tls)
        self.options: dict[str, str | int | bool] = {
            "userstat": userstat,
            "performance_schema": performance_schema,
            "max_connections": max_connections,
            **options,
        }

    def _innodb(self) -> list[str]:
        return ["--innodb-log-file-size=32M", "--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync"]

    def prepare(self) -> None:
        self.data.mkdir(mode=0o700)
        self.own(self.data)
        super().prepare()
        self.run(
            [
                *(program("mariadb-install-db"), "--no-defaults", f"--datadir={self.data}", "--skip-test-db"),
                *("--auth-root-authentication-method=normal", "--skip-name-resolve", *self._innodb()),
            ]
        )

    def command(self) -> Sequence[str | Path]:
        settings = [f"--{name.replace('_', '-')}={_said(value)}" for name, value in self.options.items()]
        if self.certificate:
            settings += [f"--ssl-cert={self.certificate}", f"--ssl-key={self.key}"]
        return [
            *(program("mariadbd"), "--no-defaults", f"--datadir={self.data}", f"--socket={self.socket}"),
            *(f"--bind-address={LOOPBACK}", f"--port={self.port}", f"--pid-file={self.folder / 'pid'}"),
            *("--skip-log-bin", "--skip-name-resolve", "--max-allowed-packet=64M", *self._innodb()),
            *("--innodb-fast-shutdown=2", "--innodb-buffer-pool-dump-at-shutdown=0"),
            *("--innodb-buffer-pool-load-at-startup=0", "--transaction-isolation=READ-COMMITTED", *settings),
        ]

    def answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:  # PyMySQL leaves its own open when nobody listens
            probe.connect(str(self.socket))
        self.admin(password="").close()
        return True

    def fill(self) -> None:
        users = [f"ALTER USER root@localhost IDENTIFIED BY '{self.password}'", "CREATE DATABASE shop"]
        with self.admin(password="") as connection, connection.cursor() as cursor:
            for statement in users:
                cursor.execute(statement)
        self.add_user("shop")
        self.execute(*MARIADB)

    def admin(self, database: str | None = None, password: str | None = None) -> pymysql.Connection:
        """A connection as root over the Unix socket."""
        try:
            return pymysql.connect(
                unix_socket=str(self.socket),
                user="root",
                password=self.password if password is None else password,
                database=database,
                autocommit=True,
            )
        except pymysql.err.OperationalError as error:
            raise ConnectionError(str(error)) from error

    def execute(self, *statements: str) -> None:
        """As root, in `shop`."""
        with self.admin("shop") as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows that root gets."""
        with self.admin("shop") as connection:
            return _rows(connection, statement)

    def add_user(self, name: str) -> None:
        """One more user of `shop`, with the same password: what it does is counted apart."""
        self._as_root(f"CREATE USER {name}@'%' IDENTIFIED BY '{self.password}'", f"GRANT ALL ON shop.* TO {name}@'%'")

    def _as_root(self, *statements: str) -> None:
        with self.admin() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    @staticmethod
    def countable(report: SqlReport) -> Counter[str]:
        """The part of a load's statements that has to be in `verbs`: what could be parsed."""
        return report.without("1064")

    def read(self, connection: pymysql.Connection) -> Reading:
        return _status(connection), _users(connection)

    def fill_in(self, counts: MariaDbCounts, before: Reading, after: Reading) -> None:
        (status_before, users_before), (status, users) = before, after
        # Between the two readings of the status: that of the users, and the second one itself.
        status_before.update(("Com_select", "Com_show_status"))
        counts.status.update({name: n - status_before[name] for name, n in status.items() if n != status_before[name]})
        for user, columns in users.items():
            earlier = users_before.get(user, Counter())
            counts.users[user] = Counter({name: n - earlier[name] for name, n in columns.items() if n != earlier[name]})

    def statements_of(self, user: str) -> Counter[str]:
        """From the performance schema, which has to be on: since the start, by `sql/select`, `com/Ping`, …"""
        return Counter(
            {
                str(event).removeprefix("statement/"): int(times)
                for event, times in self.query(
                    "SELECT event_name, count_star FROM"
                    " performance_schema.events_statements_summary_by_user_by_event_name"
                    f" WHERE user = '{user}' AND count_star > 0"
                )
            }
        )


Reading = tuple[Counter[str], dict[str, Counter[str]]]  # the global status, and that of each user


def _said(value: str | int | bool) -> str:
    return {True: "ON", False: "OFF"}[value] if isinstance(value, bool) else str(value)


def _rows(connection: pymysql.Connection, statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def _status(connection: pymysql.Connection) -> Counter[str]:
    found: Counter[str] = Counter()
    for name, value in _rows(connection, "SHOW GLOBAL STATUS"):
        if str(value).isdigit():
            found[name] = int(value)
    return found


def _users(connection: pymysql.Connection) -> dict[str, Counter[str]]:
    with connection.cursor(pymysql.cursors.DictCursor) as cursor:
        cursor.execute("SELECT * FROM information_schema.USER_STATISTICS")
        return {
            str(row["USER"]): Counter({name: value for name, value in row.items() if isinstance(value, int)})
            for row in cursor.fetchall()
        }
