"""A load through PyMySQL. Options: autocommit (true), tls (false), at: `call` or `socket` (where times are taken).

`socket`: from the end of the request's last send to the end of the answer's first read.
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any

import pymysql
from pymysql.constants import CLIENT

from loads.sessions import NOT_SENT, Session
from loads.sql_jobs import SqlJobs
from loads.statements import Statement
from loads.target import Target

COM_QUERY = 3


class Told(pymysql.connections.Connection):
    """Tells its session what it sends, and when."""

    def __init__(self, session: PyMySqlSession, **settings: Any) -> None:
        self._session = session
        self._wrote = self._took = 0
        super().__init__(**settings)

    def _execute_command(self, command: int, sql: str | bytes) -> None:
        if command == COM_QUERY:
            self._session.sent(sql if isinstance(sql, str) else sql.decode())
        super()._execute_command(command, sql)

    def _write_bytes(self, data: bytes) -> None:
        super()._write_bytes(data)
        self._wrote, self._took = perf_counter_ns(), 0

    def _read_bytes(self, num_bytes: int) -> bytes:
        data: bytes = super()._read_bytes(num_bytes)
        if not self._took:
            self._took = perf_counter_ns() - self._wrote
        return data

    @property
    def took(self) -> int:
        return self._took


class PyMySqlSession(Session):
    errors = pymysql.err.Error
    refusal = (pymysql.err.OperationalError,)

    def __init__(self, target: Target, options: dict[str, Any]) -> None:
        super().__init__(target, options)
        self.connection = connect(self, target, options, autocommit=self.autocommit)
        self._at_socket = options.get("at") == "socket"

    def execute(self, statement: Statement) -> int:
        if not self.autocommit and statement.text in ("BEGIN", "START TRANSACTION"):
            return NOT_SENT  # every statement is in a transaction
        if not self.autocommit and statement.text in ("COMMIT", "ROLLBACK"):
            getattr(self.connection, statement.text.lower())()
            return 0
        with self.connection.cursor() as cursor:
            cursor.execute(statement.text)
            rows = len(cursor.fetchall())
            if self._at_socket:
                self.took = self.connection.took
            while cursor.nextset():
                rows += len(cursor.fetchall())
        return rows

    def close(self) -> None:
        self.connection.close()

    def drop(self) -> None:
        self.connection._force_close()

    @staticmethod
    def code(error: Exception) -> str:
        return str(error.args[0])


def connect(session: Any, target: Target, options: dict[str, Any], **settings: Any) -> Told:
    """A connection that tells the session what it sends."""
    where = {"unix_socket": target.socket} if target.socket else {"host": target.host, "port": target.port}
    if options.get("tls"):
        settings["ssl"] = {"ca": target.certificate}
    return Told(
        session,
        **where,
        user=target.user,
        password=target.password,
        database=target.database,
        client_flag=CLIENT.MULTI_STATEMENTS,
        **settings,
    )


if __name__ == "__main__":
    SqlJobs(PyMySqlSession).serve()
