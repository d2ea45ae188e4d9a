"""A load through SQLAlchemy's pool: each group of statements takes a connection out and gives it back.

The target's system decides between PyMySQL and psycopg. `connect` opens so many connections, which as many threads
share; option `threads`: how many instead. Transactions are SQLAlchemy's: it begins them, and rolls back what was not
committed when a connection comes back to the pool.
"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import ExitStack
from typing import Any

import psycopg
import pymysql
import sqlalchemy
from sqlalchemy.exc import DBAPIError

from loads import psycopg_load, pymysql_load
from loads.reports import SqlReport
from loads.sessions import NOT_SENT, Session, Tally
from loads.sql_jobs import SqlJobs
from loads.statements import Group, Statement
from loads.target import Target

DIALECTS = {"mysql": "mysql+pymysql", "postgresql": "postgresql+psycopg"}


class Ear:
    """Hears what a pooled connection sends, for the thread that has it now."""

    def __init__(self) -> None:
        self.local = threading.local()

    def sent(self, text: str) -> None:
        self.local.session.sent(text)


EAR = Ear()


class PooledSession(Session):
    """One user of the pool."""

    errors = DBAPIError
    refusal = (DBAPIError, pymysql.err.OperationalError, psycopg.OperationalError)

    def __init__(self, target: Target, options: dict[str, Any], engine: sqlalchemy.Engine) -> None:
        super().__init__(target, options)
        self.engine = engine
        self._connection: sqlalchemy.Connection | None = None

    def perform(self, groups: list[Group], tally: Tally) -> None:
        EAR.local.session = self
        super().perform(groups, tally)

    def group(self, group: Group, tally: Tally) -> None:
        with self.engine.connect() as self._connection:
            super().group(group, tally)

    def execute(self, statement: Statement) -> int:
        assert self._connection is not None
        if statement.text in ("BEGIN", "START TRANSACTION"):
            return NOT_SENT  # it begins by itself
        if statement.text in ("COMMIT", "ROLLBACK"):
            getattr(self._connection, statement.text.lower())()
            return 0
        result = self._connection.exec_driver_sql(statement.text)
        return len(result.fetchall()) if result.returns_rows else 0

    def close(self) -> None:
        """Its connection belongs to the pool."""

    @staticmethod
    def code(error: Exception) -> str:
        original = getattr(error, "orig", None) or error
        session = psycopg_load.PsycopgSession if isinstance(original, psycopg.Error) else pymysql_load.PyMySqlSession
        return session.code(original)


class PoolJobs(SqlJobs):
    """One engine for all."""

    engine: sqlalchemy.Engine | None = None

    def connect(self, count: int = 1) -> dict[str, Any]:
        self.engine = engine = self._engine(self._target, count)
        opener = EAR.local.session = PooledSession(self._target, self._options, engine)
        with ExitStack() as stack:
            for _ in range(count):
                stack.enter_context(engine.connect())
        self._sessions = [
            PooledSession(self._target, self._options, engine) for _ in range(self._options.get("threads", count))
        ]
        return self._finished(opener, "opened", count)

    def open(self, target: Target) -> Session:
        """For `refuse`: one connection."""
        engine = self._engine(target, 1)
        session = EAR.local.session = PooledSession(target, self._options, engine)
        engine.connect().close()
        return session

    def close(self, count: int = 0) -> dict[str, Any]:
        assert self.engine is not None
        opener = EAR.local.session = PooledSession(self._target, self._options, self.engine)
        many = self.engine.pool.checkedin()  # type: ignore[attr-defined]
        self.engine.dispose()
        self._sessions = []
        return self._finished(opener, "closed", many)

    def _finished(self, session: Session, how: str, count: int) -> dict[str, Any]:
        tally = Tally(SqlReport(connections=Counter({how: count})))
        session.finish(tally)
        return tally.report.to_dict()

    def _engine(self, target: Target, size: int) -> sqlalchemy.Engine:
        def open_one() -> Any:
            if target.system == "mysql":
                return pymysql_load.connect(EAR, target, self._options)
            return psycopg_load.connect(EAR, target, self._options, prepare_threshold=None)

        return sqlalchemy.create_engine(
            f"{DIALECTS[target.system]}://", creator=open_one, pool_size=size, max_overflow=0
        )


if __name__ == "__main__":
    psycopg_load.tell_of_every_cursor()
    PoolJobs(PooledSession).serve()
