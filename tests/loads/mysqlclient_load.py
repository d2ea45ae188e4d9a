"""A load through mysqlclient, which is libmariadb's C. Options: autocommit (true), tls (false).

The library tells nobody what it sends: its own SET autocommit is counted here by hand.
"""

from __future__ import annotations

from typing import Any

import MySQLdb
from MySQLdb.constants import CLIENT

from loads.sessions import NOT_SENT, Session
from loads.sql_jobs import SqlJobs
from loads.statements import Statement
from loads.target import Target


class MySqlClientSession(Session):
    errors = MySQLdb.Error
    refusal = (MySQLdb.OperationalError,)

    def __init__(self, target: Target, options: dict[str, Any]) -> None:
        super().__init__(target, options)
        where = {"unix_socket": target.socket} if target.socket else {"host": target.host, "port": target.port}
        if options.get("tls"):
            where["ssl"] = {"ca": target.certificate}
        self.connection = MySQLdb.connect(
            **where,
            user=target.user,
            passwd=target.password,
            db=target.database,
            client_flag=CLIENT.MULTI_STATEMENTS,
            autocommit=self.autocommit,
        )
        self.own["SET"] += not self.autocommit

    def execute(self, statement: Statement) -> int:
        if not self.autocommit and statement.text in ("BEGIN", "START TRANSACTION"):
            return NOT_SENT  # every statement is in a transaction
        if statement.text in ("COMMIT", "ROLLBACK"):
            getattr(self.connection, statement.text.lower())()
            return 0
        cursor = self.connection.cursor()
        try:
            cursor.execute(statement.text)
            rows = len(cursor.fetchall())
            while cursor.nextset():
                rows += len(cursor.fetchall())
        finally:
            cursor.close()
        return rows

    def close(self) -> None:
        self.connection.close()

    @staticmethod
    def code(error: Exception) -> str:
        return str(error.args[0])


if __name__ == "__main__":
    SqlJobs(MySqlClientSession).serve()
