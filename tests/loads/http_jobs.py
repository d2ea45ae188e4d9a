"""The jobs of every HTTP load: connections are opened first, and used later.

    use      {target, options}         where to connect and how; before all others
    connect  {count}                   so many more sessions, one connection each, opened now; a client that opens none
                                       without a request asks once for /warm
    run      {mix, count, times, …}    count calls of a mix of calls.py over all sessions, a thread (or coroutine) each;
                                       `times`: a file for the nanoseconds until the first byte (raw) or the headers of
                                       each answer; the rest goes to the mix
    close    {}                        all

The option `close`, of every client: each request asks for the end of the connection, as it has to where a server keeps
none and does not say so.
"""

from __future__ import annotations

import os
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import Any

from loads.calls import MIXES, Call
from loads.jobs import Job, serve
from loads.reports import HttpReport
from loads.target import Target
from loads.together import perform_together

WARM = Call("GET", "/warm?size=1")


@dataclass
class HttpTally:
    """One session's report and its times."""

    report: HttpReport = field(default_factory=HttpReport)
    times: list[tuple[str, int]] = field(default_factory=list)

    def done(self, call: Call, status: int, size: int, took: int) -> None:
        self.report.requests[call.method, call.path, status] += 1
        self.report.body_bytes += size
        self.times.append((f"{call.method} {status}", took))
        if (status, size) != (call.status, call.asked):
            self.report.unexpected.append(
                f"{status} with {size} bytes instead of {call.status} with {call.asked}: {call.target}"
            )


class HttpSession(ABC):
    """One client with one connection at a time."""

    def __init__(self, target: Target, options: Mapping[str, Any], tally: HttpTally) -> None:
        self.target = target
        self.options = options
        self.took = 0  # nanoseconds of the last call, when the session measures them nearer to the wire
        self.warm_up(tally)

    def closes(self, call: Call) -> bool:
        """The request asks for the end of the connection."""
        return call.closes or bool(self.options.get("close"))

    def warm_up(self, tally: HttpTally) -> None:
        """Opens the connection."""
        self.perform([WARM], tally)

    @abstractmethod
    def request(self, call: Call) -> tuple[int, int]:
        """Status and bytes of body, once it is read to its end; sets `took`."""

    def close(self) -> None: ...

    def perform(self, calls: Iterable[Call], tally: HttpTally) -> None:
        for call in calls:
            begin = perf_counter_ns()
            self.took = 0
            status, size = self.request(call)
            tally.done(call, status, size, self.took or perf_counter_ns() - begin)


class HttpJobs:
    """`session` makes one client."""

    def __init__(self, session: Callable[..., HttpSession]) -> None:
        self._session = session
        self._sessions: list[HttpSession] = []
        self._chance = random.Random(os.getpid())
        self.target = Target("", "", 0)
        self.options: dict[str, Any] = {}

    def jobs(self) -> dict[str, Job]:
        return {job.__name__: job for job in (self.use, self.connect, self.run, self.close)}

    def serve(self) -> None:
        serve(self.jobs())

    def use(self, target: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
        self.target, self.options = Target(**target), options
        return {}

    def connect(self, count: int = 1) -> dict[str, Any]:
        tally = HttpTally()
        for _ in range(count):
            self._sessions.append(self._session(self.target, self.options, tally))
        return tally.report.to_dict()

    def run(self, mix: str, count: int, times: str = "", **arguments: Any) -> dict[str, Any]:
        many = len(self._sessions)
        calls = [
            list(islice(MIXES[mix](self._chance, **arguments), count // many + (index < count % many)))
            for index in range(many)
        ]
        tallies = [HttpTally() for _ in calls]
        begin = perf_counter()
        self.perform(list(zip(self._sessions, calls, tallies, strict=True)))
        report = HttpReport(seconds=perf_counter() - begin)
        for tally in tallies:
            report.add(tally.report)
        if times:
            Path(times).write_text("".join(f"{name} {took}\n" for tally in tallies for name, took in tally.times))
        return report.to_dict()

    def perform(self, work: list[tuple[HttpSession, list[Call], HttpTally]]) -> None:
        perform_together(work)

    def close(self) -> dict[str, Any]:
        report = HttpReport()
        report.connections["closed"] = len(self._sessions)
        while self._sessions:
            self._sessions.pop().close()
        return report.to_dict()
