"""Moves bytes over one accepted socket, with back-pressure and without a buffer of its own. Knows nothing of HTTP.

asyncio's transports copy whatever a slow reader has not taken yet; here a body stays one piece of memory,
shared by every connection that is sending it.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Protocol

from scalpels_exporter.web.limits import Limits

YIELD_BYTES = 1024 * 1024  # after so much the other connections get their turn


class Wire(Protocol):
    @property
    def waiting_since(self) -> float | None:
        """Loop time since which a send has moved nothing; None while nothing is stuck."""

    async def receive(self) -> bytes:
        """At least one byte, or b"" at the end. Raises OSError when the peer is gone."""

    async def send(self, data: bytes | memoryview) -> None:
        """Raises OSError when the peer is gone, TimeoutError when it takes nothing for `stall_seconds`."""

    async def finish(self) -> None:
        """Says that nothing more will be sent. Never raises."""


class PlainWire:
    def __init__(self, sock: socket.socket, limits: Limits) -> None:
        self.waiting_since: float | None = None
        self._socket = sock
        self._limits = limits
        self._loop = asyncio.get_running_loop()

    async def receive(self) -> bytes:
        return await self._loop.sock_recv(self._socket, self._limits.read_bytes)

    async def send(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        since_yield = 0
        while view:
            try:
                sent = self._socket.send(view[: self._limits.write_bytes])
            except (BlockingIOError, InterruptedError):
                await self._writable()
                continue
            view = view[sent:]
            since_yield += sent
            if since_yield >= YIELD_BYTES:
                since_yield = 0
                await asyncio.sleep(0)

    async def finish(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    async def _writable(self) -> None:
        ready: asyncio.Future[None] = self._loop.create_future()
        self.waiting_since = self._loop.time()
        self._loop.add_writer(self._socket, _resolve, ready)
        try:
            async with asyncio.timeout(self._limits.stall_seconds):
                await ready
        finally:
            self._loop.remove_writer(self._socket)
            self.waiting_since = None


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
