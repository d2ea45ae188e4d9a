"""The bounded set of open connections: who is in, who must make room, who is turned away. Serves nothing."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

from scalpels_exporter.web.connection import Connection
from scalpels_exporter.web.establish import short_answer
from scalpels_exporter.web.limits import Limits

LEAVING = 32  # sockets that were answered 503 and are given a moment to read it
LEAVING_SECONDS = 0.5


@dataclass(slots=True, eq=False)
class Place:
    """One open connection. `connection` is None until TLS has come about."""

    task: asyncio.Task[None]
    since: float  # loop time of the accept
    connection: Connection | None = None

    @property
    def waiting_since(self) -> float | None:
        """Since when the client is what everything waits for; None while the agent itself works."""
        return self.connection.waiting_since if self.connection else self.since

    @property
    def answering(self) -> bool:
        return self.connection is not None and self.connection.answering


class Places:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._taken: dict[asyncio.Task[None], Place] = {}
        self._leaving: deque[socket.socket] = deque()

    def __len__(self) -> int:
        return len(self._taken)

    def all(self) -> list[Place]:
        return list(self._taken.values())

    @property
    def full(self) -> bool:
        return len(self._taken) >= self._limits.connections

    def take(self, place: Place) -> None:
        self._taken[place.task] = place

    def established(self, task: asyncio.Task[None] | None, connection: Connection) -> None:
        place = self._taken.get(task) if task else None
        if place is not None:
            place.connection = connection

    def leave(self, task: asyncio.Task[None]) -> None:
        self._taken.pop(task, None)

    def make_room(self, now: float) -> bool:
        """Ends the connection that has kept the agent waiting the longest; False where none has for long enough."""
        waiting = [(since, place) for place in self._taken.values() if (since := place.waiting_since) is not None]
        if not waiting:
            return False
        since, place = min(waiting, key=lambda pair: pair[0])
        if now - since < self._limits.evictable_after:
            return False
        self.leave(place.task)
        place.task.cancel()
        return True

    def turn_away(self, sock: socket.socket, *, tell: bool) -> None:
        """Answers 503 without reading; the socket stays for a moment, because a reset would take the answer back."""
        with suppress(OSError):
            if tell:
                sock.send(short_answer(503, "too many connections; try again later"))
            sock.shutdown(socket.SHUT_WR)
        self._leaving.append(sock)
        if len(self._leaving) > LEAVING:
            _drop(self._leaving.popleft())
        asyncio.get_running_loop().call_later(LEAVING_SECONDS, self._left, sock)

    def close(self) -> None:
        while self._leaving:
            _drop(self._leaving.popleft())

    def _left(self, sock: socket.socket) -> None:
        if sock in self._leaving:
            self._leaving.remove(sock)
            _drop(sock)


def _drop(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.recv(65536)  # what lies unread makes close() send a reset
    sock.close()
