"""What a load did, in its own words: made in the child, sent as JSON, added up by the test."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class SqlReport:
    """Truth of one job, or of several when added.

    statements   by verb, those that failed and the driver's own included; each execution of a prepared one
    failed       code → verb → how many of `statements` ended in it
    own          by verb: the part of `statements` that the driver sent unasked (SET AUTOCOMMIT, BEGIN, ROLLBACK …)
    requests     texts handed to the driver; less than statements where one text holds several
    rows         that were fetched
    prepared     prepare, execute and close commands, where the client prepares
    transactions committed, rolled back: those that the load asked for
    connections  opened, closed, dropped (no farewell), refused
    unexpected   what went otherwise than the statement said; must be empty
    """

    statements: Counter[str] = field(default_factory=Counter)
    failed: dict[str, Counter[str]] = field(default_factory=dict)
    own: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    rows: int = 0
    prepared: Counter[str] = field(default_factory=Counter)
    transactions: Counter[str] = field(default_factory=Counter)
    connections: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def errors(self) -> Counter[str]:
        """By code."""
        return Counter({code: sum(verbs.values()) for code, verbs in self.failed.items()})

    @property
    def total(self) -> int:
        return sum(self.statements.values())

    def without(self, *codes: str) -> Counter[str]:
        """Statements by verb less those that ended in one of these codes; none given: less every failed one."""
        left = Counter(self.statements)
        for code, verbs in self.failed.items():
            if not codes or code in codes:
                left.subtract(verbs)
        return +left

    def add(self, other: SqlReport) -> None:
        self.statements += other.statements
        for code, verbs in other.failed.items():
            self.failed[code] = self.failed.get(code, Counter()) + verbs
        self.own += other.own
        self.requests += other.requests
        self.rows += other.rows
        self.prepared += other.prepared
        self.transactions += other.transactions
        self.connections += other.connections
        self.unexpected += other.unexpected
        self.seconds = max(self.seconds, other.seconds)

    def to_dict(self) -> dict[str, Any]:
        return dict(vars(self))  # asdict() makes a Counter of pairs out of a Counter

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> SqlReport:
        counters = {
            name: Counter(found[name]) for name in ("statements", "own", "prepared", "transactions", "connections")
        }
        failed = {code: Counter(verbs) for code, verbs in found["failed"].items()}
        return cls(**{**found, **counters, "failed": failed})


Request = tuple[str, str, int]  # method, path without its query, status


@dataclass
class HttpReport:
    """Truth of one job, or of several when added: answers whose head was read, and `body_bytes` of them.

    unanswered   requests that were sent whole, and whose connection ended, or was given up, before a head had come
    cut          answers among `requests` whose connection ended before the body did
    """

    requests: Counter[Request] = field(default_factory=Counter)
    body_bytes: int = 0
    connections: Counter[str] = field(default_factory=Counter)  # opened, closed, where the client tells
    unanswered: int = 0
    cut: int = 0
    unexpected: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def total(self) -> int:
        return sum(self.requests.values())

    @property
    def statuses(self) -> Counter[tuple[str, int]]:
        """By method and status."""
        found: Counter[tuple[str, int]] = Counter()
        for (method, _, status), times in self.requests.items():
            found[method, status] += times
        return found

    def add(self, other: HttpReport) -> None:
        self.requests += other.requests
        self.body_bytes += other.body_bytes
        self.connections += other.connections
        self.unanswered += other.unanswered
        self.cut += other.cut
        self.unexpected += other.unexpected
        self.seconds = max(self.seconds, other.seconds)

    def to_dict(self) -> dict[str, Any]:
        requests = [[method, path, status, times] for (method, path, status), times in self.requests.items()]
        return {**vars(self), "requests": requests}

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> HttpReport:
        requests = Counter({(method, path, status): times for method, path, status, times in found["requests"]})
        return cls(**{**found, "requests": requests, "connections": Counter(found["connections"])})


@dataclass
class AmqpReport:
    """Truth of one job, by method: messages, bytes of their bodies; and closed channels by code."""

    messages: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    redelivered: int = 0

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> AmqpReport:
        return cls(**{name: Counter(value) if isinstance(value, dict) else value for name, value in found.items()})


@dataclass
class RpcReport:
    """Truth of one job: a client's calls, casts and fanouts by method, and failed calls by the exception that it got;
    what a server was asked for; nanoseconds that each call took by method. With the option `slow`: when the message
    of each call left the process, and when that came which it got, by the call's id, in nanoseconds of the machine."""

    call: Counter[str] = field(default_factory=Counter)
    cast: Counter[str] = field(default_factory=Counter)
    fanout: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    served: Counter[str] = field(default_factory=Counter)
    times: list[tuple[str, int]] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)
    came: Counter[str] = field(default_factory=Counter)

    @property
    def sent(self) -> Counter[str]:
        return self.call + self.cast + self.fanout

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> RpcReport:
        return cls(**{name: Counter(value) if isinstance(value, dict) else value for name, value in found.items()})


def read_times(file: Path) -> dict[str, list[int]]:
    """What a job with `times` wrote: verb, or method and status → nanoseconds of each call, in no order."""
    found: dict[str, list[int]] = {}
    for line in file.read_text().splitlines():
        name, _, nanoseconds = line.rpartition(" ")
        found.setdefault(name, []).append(int(nanoseconds))
    return found
