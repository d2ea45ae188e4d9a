"""A request as handlers see it, and an answer as they give it. No bytes are read or written here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end, as the socket says, not as the request claims."""

    address: str  # an IP address, or "unix:uid=0"
    unix: bool = False
    secure: bool = False  # the connection is under TLS
    certificate: str = ""  # the name in the client certificate that was verified, "" without one


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str  # as sent, without the query
    authority: str  # host:port that the client says it talks to
    headers: Mapping[str, str]  # lower-case names; the last of equal names, except that Host is unique
    body: bytes
    peer: Peer


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    pieces: Sequence[bytes] = ()  # shared with other connections; written one after the other, never joined
    content_type: str = TEXT
    headers: Sequence[tuple[str, str]] = field(default=())
    close: bool = False
    handler: str = "none"  # the class of path, for the counter


class Refused(Exception):
    """A request that is answered by one line and the end of the connection. `reason` is one of counted.REASONS."""

    def __init__(self, status: int, line: str, reason: str) -> None:
        super().__init__(line)
        self.status = status
        self.line = line
        self.reason = reason


def text(status: int, line: str, headers: Sequence[tuple[str, str]] = (), *, close: bool = False) -> Answer:
    """One line, or several, of plain text."""
    return Answer(status, (line.encode() + b"\n",), TEXT, headers, close)


def phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
