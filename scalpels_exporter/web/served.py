"""What the web room serves: the agent as HTTP sees it. A Protocol and its small types, no behaviour.

`agent` satisfies it; tests of the web room satisfy it with a few lines of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from scalpels_exporter.supervise.status import Status


@dataclass(frozen=True, slots=True)
class Body:
    """One answer of /metrics. `pieces` are written one after the other; compressed already when `encoding` says so."""

    content_type: str
    pieces: Sequence[bytes]
    encoding: str = ""  # "gzip" or ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to a control call. `problem` is one of "", unknown_tracer, refused (why says what)."""

    ok: bool
    why: str = ""
    problem: str = ""


class Served(Protocol):
    async def scrape(self, accept: str, accept_encoding: str, deadline_seconds: float) -> Body:
        """Ticks, waits at most `deadline_seconds`, renders in the format that `accept` asks for."""

    def statuses(self) -> Sequence[Status]: ...

    def ready(self) -> tuple[bool, str]:
        """Whether the first configuration is at work; why not."""

    async def start(self, tracer: str, lease_seconds: float | None, reason: str, who: str) -> Outcome: ...

    async def stop(self, tracer: str, reason: str, who: str) -> Outcome: ...

    async def reload(self, who: str) -> Outcome:
        """All or nothing; `why` has one line for each mistake."""
