"""A load through psycopg 3. Options: autocommit (true), tls (false), mode (simple).

simple     simple queries
extended   Parse, Bind, Execute without a name, for every statement
prepared   SELECT, INSERT, UPDATE and DELETE prepared by name at their first execution; the others as `extended`,
           because pg_stat_statements of PostgreSQL 15 does not count them when they are executed again by name
pipeline   as extended, with a Sync after `depth` (10) groups; statements that fail have to be left out of the mix
cursor     a SELECT is a server-side cursor: DECLARE, a FETCH for every `fetch` (100) rows, CLOSE
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg

from loads.sessions import NOT_SENT, Session, Tally
from loads.sql_jobs import SqlJobs
from loads.statements import Group, Statement
from loads.target import Target

COUNTABLE = ("SELECT", "INSERT", "UPDATE", "DELETE")


class Told(psycopg.Connection[tuple[Any, ...]]):
    """Its session hears of what the driver sends besides the cursors' statements: BEGIN, COMMIT, FETCH …"""

    session: Any = None

    def _exec_command(self, command: Any, *arguments: Any, **settings: Any) -> Any:
        if self.session is not None:
            self.session.sent(_text(command, self))
        return (yield from super()._exec_command(command, *arguments, **settings))


def tell_of_every_cursor() -> None:
    """From now on the session of a connection hears of every cursor's statements too, whoever made the cursor."""
    execute = psycopg.Cursor.execute

    def told(self: Any, query: Any, *arguments: Any, **settings: Any) -> Any:
        session = getattr(self.connection, "session", None)
        if session is not None:
            session.sent(_text(query, self.connection))
        return execute(self, query, *arguments, **settings)

    psycopg.Cursor.execute = told  # type: ignore[method-assign]


class PsycopgSession(Session):
    errors = psycopg.Error
    refusal = (psycopg.OperationalError,)

    def __init__(self, target: Target, options: dict[str, Any]) -> None:
        super().__init__(target, options)
        self.connection = connect(self, target, options, autocommit=self.autocommit)
        self._mode = options.get("mode", "simple")

    def execute(self, statement: Statement) -> int:
        if not self.autocommit and statement.text in ("BEGIN", "START TRANSACTION"):
            return NOT_SENT  # the driver sends it with the first statement
        if not self.autocommit and statement.text in ("COMMIT", "ROLLBACK"):
            getattr(self.connection, statement.text.lower())()
            return 0
        if statement.verbs == ("DECLARE",):
            return self._through_a_cursor(statement)
        by_name = statement.prepared or (self._mode == "prepared" and statement.verbs[0] in COUNTABLE)
        cursor = self.connection.cursor(binary=by_name or self._mode != "simple")
        before = self.connection._prepared._prepared_idx
        try:
            cursor.execute(statement.text.replace("?", "%s"), statement.arguments or None, prepare=by_name)
        finally:
            if by_name:
                self.prepared["execute"] += 1
                self.prepared["prepare"] += self.connection._prepared._prepared_idx - before
        return _rows(cursor)

    def _through_a_cursor(self, statement: Statement) -> int:
        rows = 0
        with self.connection.cursor("through_a_cursor", withhold=self.autocommit) as cursor:
            cursor.execute(statement.text)
            while fetched := cursor.fetchmany(self.options.get("fetch", 100)):
                rows += len(fetched)
        return rows

    def one(self, statement: Statement, tally: Tally) -> None:
        if self._mode == "cursor" and statement.verbs == ("SELECT",) and not statement.prepared:
            statement = replace(statement, verbs=("DECLARE",))
        super().one(statement, tally)

    def perform(self, groups: list[Group], tally: Tally) -> None:
        if self._mode == "pipeline":
            self._in_pipelines(groups, tally)
        else:
            super().perform(groups, tally)

    def batch(self, text: str, ids: Sequence[int]) -> None:
        self.connection.cursor().executemany(text.replace("?", "%s"), [(one,) for one in ids])

    def _in_pipelines(self, groups: list[Group], tally: Tally) -> None:
        """The time of a statement is not told: it is waited for together with its neighbours."""
        depth = int(self.options.get("depth", 10))
        for first in range(0, len(groups), depth):
            statements = [statement for group in groups[first : first + depth] for statement in group]
            cursors = []
            with self.connection.pipeline():
                for statement in statements:
                    cursors.append(self.connection.cursor())
                    cursors[-1].execute(statement.text.replace("?", "%s"), statement.arguments or None, prepare=False)
            for statement, cursor in zip(statements, cursors, strict=True):
                tally.done(statement, "", _rows(cursor), 0)
        tally.times.clear()

    def close(self) -> None:
        self.connection.close()

    def drop(self) -> None:
        with socket.socket(fileno=os.dup(self.connection.fileno())) as twin:
            twin.shutdown(socket.SHUT_RDWR)
        self.connection.close()

    @staticmethod
    def code(error: Exception) -> str:
        return getattr(error, "sqlstate", None) or "28P01" * ("password authentication failed" in str(error))


def _text(query: Any, connection: Any) -> str:
    """Of a string, of bytes or of psycopg's composed SQL."""
    if isinstance(query, str):
        return query
    return bytes(query if isinstance(query, bytes) else query.as_bytes(connection)).decode()


def _rows(cursor: Any) -> int:
    """Those of every result of one execution."""
    rows, more = 0, True
    while more:
        rows += len(cursor.fetchall()) if cursor.description else 0
        more = cursor.nextset()
    return rows


def connect(session: Any, target: Target, options: dict[str, Any], **settings: Any) -> Told:
    """A connection that tells the session what it sends."""
    connection = Told.connect(
        host=target.socket.rpartition("/")[0] or target.host,
        port=target.port,
        user=target.user,
        password=target.password,
        dbname=target.database,
        **({"sslmode": "verify-full", "sslrootcert": target.certificate} if options.get("tls") else {}),
        **settings,
    )
    connection.session = session
    return connection


if __name__ == "__main__":
    SqlJobs(PsycopgSession).serve()
