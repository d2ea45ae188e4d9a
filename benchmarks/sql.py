"""What the tracer `sql` adds to a statement, at the client and at the server, beside MariaDB's own performance_schema.

    .venv/bin/python -m benchmarks.sql [--rounds 9] [--statements 4000]

CPU microseconds of one `SELECT 1` (PyMySQL and psycopg over TCP on loopback, MariaDB and PostgreSQL from Debian), added
by the real agent with `sql` on: paired within alternating rounds with the tracer stopped, then medians. `bystander` is
what no rule names; the servers have built-in names. performance_schema is a second server that has it on, in the same
rounds. Throughput is the ratio of statements a second with and without. Needs root; asserts nothing.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from typing import Any

from benchmarks.ends import Subject, measure, show  # first: it puts the tests on the path

# isort: split
import psycopg
import pymysql
from servers.mariadb_server import MariaDb
from servers.postgresql_server import PostgreSql

RULES = "programs:\n  - {name: client, cmdline: benchmarks.sql}\n"


def subject(cursor: Any, server: int) -> Subject:
    """`server`: the process that answers."""

    def ask() -> None:
        cursor.execute("SELECT 1")
        cursor.fetchall()

    return Subject(ask, [server])


def mariadb(stack: ExitStack, **options: bool) -> Subject:
    server = stack.enter_context(MariaDb(**options))
    to = server.target()
    connection = pymysql.connect(
        host=to.host, port=to.port, user=to.user, password=to.password, database=to.database, autocommit=True
    )
    stack.callback(connection.close)
    return subject(connection.cursor(), server.pid)


def postgresql(stack: ExitStack) -> Subject:
    to = stack.enter_context(PostgreSql()).target()
    connection = psycopg.connect(
        host=to.host, port=to.port, user=to.user, password=to.password, dbname=to.database, autocommit=True
    )
    stack.callback(connection.close)
    return subject(connection.cursor(), connection.info.backend_pid)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--statements", type=int, default=4000)
    chosen = parser.parse_args()
    rounds, statements = chosen.rounds, chosen.statements
    with ExitStack() as stack:
        plain, schema = mariadb(stack), mariadb(stack, performance_schema=True)
        found = measure("sql", RULES, {"mariadb": plain, "postgresql": postgresql(stack)}, rounds, statements)
        pairs = [(plain.warm(statements), schema.warm(statements)) for _ in range(rounds)]
        found["performance_schema instead"] = pairs
    show(f"CPU µs of a SELECT 1; {rounds} rounds of {statements}, medians", found)


if __name__ == "__main__":
    main()
