"""A load through mysql-connector-python, whose prepared statements are those of the binary protocol.

Options: autocommit (true), tls (false). In Python alone: its C extension wants a newer OpenSSL than Debian 12 has.
"""

from __future__ import annotations

from typing import Any

import mysql.connector
from mysql.connector.connection import MySQLConnection

from loads.sessions import NOT_SENT, Session
from loads.sql_jobs import SqlJobs
from loads.statements import Statement
from loads.target import Target


class Told(MySQLConnection):
    """Its session hears of every command."""

    session: ConnectorSession

    def cmd_query(self, query: Any, *arguments: Any, **settings: Any) -> Any:
        self.session.sent(query if isinstance(query, str) else bytes(query).decode())
        return super().cmd_query(query, *arguments, **settings)

    def cmd_stmt_prepare(self, *arguments: Any, **settings: Any) -> Any:
        self.session.prepared["prepare"] += 1
        return super().cmd_stmt_prepare(*arguments, **settings)

    def cmd_stmt_execute(self, *arguments: Any, **settings: Any) -> Any:
        self.session.prepared["execute"] += 1
        return super().cmd_stmt_execute(*arguments, **settings)

    def cmd_stmt_reset(self, *arguments: Any, **settings: Any) -> Any:
        self.session.prepared["reset"] += 1
        return super().cmd_stmt_reset(*arguments, **settings)

    def cmd_stmt_close(self, *arguments: Any, **settings: Any) -> Any:
        self.session.prepared["close"] += 1
        return super().cmd_stmt_close(*arguments, **settings)


class ConnectorSession(Session):
    errors = mysql.connector.Error
    refusal = (mysql.connector.Error,)

    def __init__(self, target: Target, options: dict[str, Any]) -> None:
        super().__init__(target, options)
        self.connection = Told()
        self.connection.session = self
        where = {"unix_socket": target.socket} if target.socket else {"host": target.host, "port": target.port}
        tls = {"ssl_ca": target.certificate} if options.get("tls") else {"ssl_disabled": True}
        self.connection.connect(
            **where,
            **tls,
            user=target.user,
            password=target.password,
            database=target.database,
            autocommit=self.autocommit,
            collation="utf8mb4_general_ci",  # its default is one that MariaDB has not
        )
        self._cursors: dict[str, Any] = {}

    def execute(self, statement: Statement) -> int:
        if not self.autocommit and statement.text in ("BEGIN", "START TRANSACTION"):
            return NOT_SENT  # every statement is in a transaction
        if statement.text in ("COMMIT", "ROLLBACK"):
            getattr(self.connection, statement.text.lower())()
            return 0
        if statement.prepared:
            cursor = self._cursors.get(statement.text) or self._prepared(statement.text)
            cursor.execute(statement.text, statement.arguments)
            return len(cursor.fetchall()) if cursor.description else 0
        cursor = self.connection.cursor()
        try:
            cursor.execute(statement.text)
            rows = len(cursor.fetchall()) if cursor.description else 0
            while cursor.nextset():
                rows += len(cursor.fetchall()) if cursor.description else 0
        finally:
            cursor.close()
        return rows

    def _prepared(self, text: str) -> Any:
        """One cursor for each text: a cursor that gets another text closes what it has prepared."""
        self._cursors[text] = self.connection.cursor(prepared=True)
        return self._cursors[text]

    def close(self) -> None:
        for cursor in self._cursors.values():
            cursor.close()
        self.connection.close()

    @staticmethod
    def code(error: Exception) -> str:
        return str(getattr(error, "errno", ""))


if __name__ == "__main__":
    SqlJobs(ConnectorSession).serve()
