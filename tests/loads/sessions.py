"""What every SQL client of the loads can do: run statements on one connection, and say what its driver sent besides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any

from loads.jobs import Unsupported
from loads.reports import SqlReport
from loads.statements import Group, Statement
from loads.target import Target
from loads.verbs import verbs_of

NOT_SENT = -1  # in place of rows: the driver does that by itself, or the protocol has no such thing


@dataclass
class Tally:
    """One session's report and its times."""

    report: SqlReport = field(default_factory=SqlReport)
    times: list[tuple[str, int]] = field(default_factory=list)

    def done(self, statement: Statement, code: str, rows: int, took: int) -> None:
        report = self.report
        report.requests += 1
        report.statements.update(statement.verbs)
        report.rows += rows
        if code:
            report.failed.setdefault(code, Counter())[statement.verbs[-1]] += 1
        if code != statement.code:
            report.unexpected.append(
                f"{code or 'success'} instead of {statement.code or 'success'}: {statement.text[:80]}"
            )
        self.times.append((statement.verbs[-1] if statement.verbs else "", took))

    def transaction(self, end: str, took: int) -> None:
        self.report.transactions[end] += 1
        self.times.append((f"transaction:{end}", took))

    def drivers_own(self, verbs: Counter[str]) -> None:
        """What the driver has sent unasked."""
        self.report.own += verbs
        self.report.statements += verbs
        verbs.clear()


class Session(ABC):
    """One connection. A driver that tells what it sends calls `sent`; of the others, `own` is filled by hand."""

    errors: type[Exception]
    refusal: tuple[type[Exception], ...]  # what a wrong password raises

    def __init__(self, target: Target, options: Mapping[str, Any]) -> None:
        self.target = target
        self.options = options
        self.autocommit = bool(options.get("autocommit", True))
        self.own: Counter[str] = Counter()  # by verb: sent by the driver unasked, not yet reported
        self.prepared: Counter[str] = Counter()
        self.current: Statement | None = None
        self.took = 0  # of the last statement, when the session measures it nearer to the wire than its caller

    @abstractmethod
    def execute(self, statement: Statement) -> int:
        """Runs it to its end and gives the number of rows that came, or NOT_SENT."""

    @abstractmethod
    def close(self) -> None: ...

    def drop(self) -> None:
        """Closes the socket without a word to the server."""
        raise Unsupported("this client cannot be cut off")

    def batch(self, text: str, ids: Sequence[int]) -> None:
        """`text` with each of the ids for its `?`, by what the driver has for many executions of one statement."""
        raise Unsupported("this client has nothing for that")

    @staticmethod
    @abstractmethod
    def code(error: Exception) -> str:
        """MySQL's errno or the SQLSTATE."""

    def sent(self, text: str) -> None:
        """A text goes to the server: the driver's own unless it is the statement that is being executed."""
        if self.current is None or text != self.current.text:
            self.own.update(verbs_of(text))

    def perform(self, groups: list[Group], tally: Tally) -> None:
        """The groups in order."""
        for group in groups:
            self.group(group, tally)
        self.finish(tally)

    def group(self, group: Group, tally: Tally) -> None:
        begin = perf_counter_ns()
        for statement in group:
            self.one(statement, tally)
        self.ended(group, perf_counter_ns() - begin, tally)

    def one(self, statement: Statement, tally: Tally) -> None:
        self.current, self.took, code, rows = statement, 0, "", 0
        begin = perf_counter_ns()
        try:
            rows = self.execute(statement)
        except self.errors as error:
            code = self.code(error)
        took = perf_counter_ns() - begin
        self.current = None
        if rows != NOT_SENT:
            tally.done(statement, code, rows, self.took or took)

    def ended(self, group: Group, took: int, tally: Tally) -> None:
        """A group that was a transaction, from before its BEGIN to after its end."""
        last = group[-1].text
        if last in ("COMMIT", "ROLLBACK") and len(group) > 1:
            tally.transaction("committed" if last == "COMMIT" else "rolled back", took)

    def finish(self, tally: Tally) -> None:
        """Takes over what the driver did by itself."""
        tally.drivers_own(self.own)
        tally.report.prepared += self.prepared
        self.prepared.clear()
