"""A load through asyncpg, a coroutine for each connection. Options: tls (false), mode (extended).

    simple     simple queries
    extended   as it does by itself: a statement with a name for every text, the last hundred kept
    unnamed    the same without the names
    prepared   prepared explicitly at the first execution, and kept

What is not SELECT, INSERT, UPDATE or DELETE is a simple query in `extended` and `prepared` too, as its own BEGIN is:
pg_stat_statements of PostgreSQL 15 does not count such a statement when it is executed again by its name.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from time import perf_counter_ns
from typing import Any

import asyncpg

from loads.jobs import Unsupported
from loads.sessions import Session, Tally
from loads.sql_jobs import SqlJobs
from loads.statements import Group, Statement
from loads.target import Target

LOOP = asyncio.new_event_loop()
COUNTABLE = ("SELECT", "INSERT", "UPDATE", "DELETE")


class AsyncpgSession(Session):
    errors = asyncpg.PostgresError
    refusal = (asyncpg.PostgresError,)

    def __init__(self, target: Target, options: dict[str, Any]) -> None:
        super().__init__(target, options)
        self._mode = options.get("mode", "extended")
        self._statements: dict[str, Any] = {}
        self.connection = LOOP.run_until_complete(
            asyncpg.connect(
                host=target.socket.rpartition("/")[0] or target.host,
                port=target.port,
                user=target.user,
                password=target.password,
                database=target.database,
                statement_cache_size=0 if self._mode == "unnamed" else 100,
                **({"ssl": ssl.create_default_context(cafile=target.certificate)} if options.get("tls") else {}),
            )
        )

    def execute(self, statement: Statement) -> int:
        raise Unsupported("coroutines run together, by all_of()")

    async def all_of(self, groups: list[Group], tally: Tally) -> None:
        for group in groups:
            began = perf_counter_ns()
            for statement in group:
                begin, code, rows = perf_counter_ns(), "", 0
                try:
                    rows = await self._execute(statement)
                except self.errors as error:
                    code = self.code(error)
                tally.done(statement, code, rows, perf_counter_ns() - begin)
            self.ended(group, perf_counter_ns() - began, tally)
        self.finish(tally)

    async def _execute(self, statement: Statement) -> int:
        countable = statement.verbs[0] in COUNTABLE
        if statement.prepared or (self._mode == "prepared" and countable):
            return await self._execute_prepared(_numbered(statement.text), statement.arguments)
        if self._mode == "simple" or (self._mode != "unnamed" and not countable):
            said = await self.connection.execute(statement.text)
            return int(said.split()[-1]) if said.startswith("SELECT") else 0
        return len(await self.connection.fetch(statement.text))

    async def _execute_prepared(self, text: str, arguments: tuple[Any, ...]) -> int:
        if text not in self._statements:
            self.prepared["prepare"] += 1
            self._statements[text] = await self.connection.prepare(text)
        self.prepared["execute"] += 1
        return len(await self._statements[text].fetch(*arguments))

    def batch(self, text: str, ids: Sequence[int]) -> None:
        LOOP.run_until_complete(self.connection.executemany(_numbered(text), [(one,) for one in ids]))

    def close(self) -> None:
        self._statements.clear()
        LOOP.run_until_complete(self.connection.close())

    def drop(self) -> None:
        self.connection.terminate()

    @staticmethod
    def code(error: Exception) -> str:
        return str(getattr(error, "sqlstate", ""))


class AsyncpgJobs(SqlJobs):
    def perform(self, work: list[tuple[Session, list[Group], Tally]]) -> None:
        async def together() -> None:
            await asyncio.gather(
                *(
                    session.all_of(groups, tally)
                    for session, groups, tally in work
                    if isinstance(session, AsyncpgSession)
                )
            )

        LOOP.run_until_complete(together())


def _numbered(text: str) -> str:
    """`?` as $1, $2 …"""
    first, *others = text.split("?")
    return first + "".join(f"${number}{part}" for number, part in enumerate(others, 1))


if __name__ == "__main__":
    asyncio.set_event_loop(LOOP)
    AsyncpgJobs(AsyncpgSession).serve()
