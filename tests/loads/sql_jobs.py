"""The jobs of every SQL load: connections are opened first, and used, closed or cut off later.

use      {target, options}             where to connect and how; before all others
connect  {count}                       opens so many more
refuse   {count}                       tries to connect with a wrong password
run      {mix, count, times, …}        count texts of a mix of statements.py over all open connections, a thread (or
                                       coroutine) each; `times`: a file for the nanoseconds of each call; the rest
                                       goes to the mix
batch    {text, count}                 the text with so many ids, by the driver's executemany, over the first connection
close    {count}, drop {count}         the oldest ones, with a farewell or without; all when not said
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

from loads.jobs import serve
from loads.reports import SqlReport
from loads.sessions import Session, Tally
from loads.statements import MIXES, Group, exactly, fresh_ids
from loads.target import Target
from loads.together import perform_together


class SqlJobs:
    """`session` makes one connection."""

    def __init__(self, session: Callable[..., Session]) -> None:
        self._session = session
        self._sessions: list[Session] = []
        self._fresh = fresh_ids(os.getpid())
        self._target = Target("", "", 0)
        self._options: dict[str, Any] = {}

    def serve(self) -> None:
        jobs = (self.use, self.connect, self.refuse, self.run, self.batch, self.close, self.drop)
        serve({job.__name__: job for job in jobs})

    def use(self, target: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
        self._target, self._options = Target(**target), options
        return {}

    def connect(self, count: int = 1) -> dict[str, Any]:
        report = SqlReport(connections=Counter(opened=count))
        for _ in range(count):
            session = self.open(self._target)
            self._sessions.append(session)
            report.add(_own(session))
        return report.to_dict()

    def open(self, target: Target) -> Session:
        return self._session(target, self._options)

    def refuse(self, count: int = 1) -> dict[str, Any]:
        report = SqlReport()
        wrong = Target(**{**asdict(self._target), "password": "wrong"})
        for _ in range(count):
            try:
                self.open(wrong).close()
                report.unexpected.append("a wrong password was taken")
            except self._session.refusal as error:  # type: ignore[attr-defined]
                report.connections["refused"] += 1
                report.failed.setdefault(self._session.code(error), Counter())["CONNECT"] += 1  # type: ignore[attr-defined]
        return report.to_dict()

    def run(self, mix: str, count: int, times: str = "", **arguments: Any) -> dict[str, Any]:
        work = self._shares(mix, count, arguments)
        tallies = [Tally() for _ in work]
        begin = perf_counter()
        self.perform(list(zip(self._sessions, work, tallies, strict=True)))
        report = SqlReport(seconds=perf_counter() - begin)
        for tally in tallies:
            report.add(tally.report)
        if times:
            Path(times).write_text("".join(f"{name} {took}\n" for tally in tallies for name, took in tally.times))
        return report.to_dict()

    def _shares(self, mix: str, count: int, arguments: dict[str, Any]) -> list[list[Group]]:
        """What each session has to do; made before the clock starts."""
        many = len(self._sessions)
        shares = [count // many + (index < count % many) for index in range(many)]
        return [list(exactly(n, MIXES[mix](self._target.system, self._fresh, **arguments))) for n in shares]

    def perform(self, work: list[tuple[Session, list[Group], Tally]]) -> None:
        perform_together(work)

    def batch(self, text: str, count: int) -> dict[str, Any]:
        self._sessions[0].batch(text, [next(self._fresh) for _ in range(count)])
        return SqlReport().to_dict()

    def close(self, count: int = 0) -> dict[str, Any]:
        return self._end("closed", Session.close, count)

    def drop(self, count: int = 0) -> dict[str, Any]:
        return self._end("dropped", Session.drop, count)

    def _end(self, how: str, end: Callable[[Session], None], count: int) -> dict[str, Any]:
        count = count or len(self._sessions)
        report = SqlReport(connections=Counter({how: count}))
        for _ in range(count):
            session = self._sessions.pop(0)
            getattr(session, end.__name__)()
            report.add(_own(session))
        return report.to_dict()


def _own(session: Session) -> SqlReport:
    """What the driver did by itself outside of any statement."""
    tally = Tally()
    session.finish(tally)
    return tally.report
