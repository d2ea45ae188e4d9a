"""One connection from its first byte to its last: requests in, answers out, in order, each within its limits.

h11 parses; what is a lie or too much is refused here. Who is asked for the answer is `handle`'s business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from itertools import chain

import h11

from scalpels_exporter.web.head import read_head, refusal
from scalpels_exporter.web.limits import Limits
from scalpels_exporter.web.message import Answer, Peer, Refused, Request, phrase, text
from scalpels_exporter.web.wire import Wire

Handle = Callable[[Request], Awaitable[Answer]]

BODILESS = (204, 304)


class Connection:
    """`waiting_since` is the loop time since which the client, not the agent, is what everything waits for."""

    def __init__(self, wire: Wire, peer: Peer, handle: Handle, limits: Limits) -> None:
        self.closing = False  # set by the server: the present answer is the last
        self._wire = wire
        self._peer = peer
        self._handle = handle
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head_bytes)
        self._reading_since: float | None = self._loop.time()
        self._first = True

    @property
    def waiting_since(self) -> float | None:
        return self._reading_since if self._reading_since is not None else self._wire.waiting_since

    @property
    def answering(self) -> bool:
        return self._reading_since is None

    async def run(self) -> None:
        """Returns when the connection is to be closed. Raises Refused, already answered, so that it can be counted;
        OSError and TimeoutError where the client is gone or takes nothing."""
        try:
            while await self._exchange():
                # Requests that are here already never wait for the socket; the others must get their turn.
                await asyncio.sleep(0)
        except Refused as refused:
            await self._refuse(refused)
            raise

    async def _exchange(self) -> bool:
        """One request and its answer. False when it was the last."""
        request = await self._request()
        self._reading_since = None
        if request is None:
            return False
        answer = await self._handle(request)
        await self._send(answer, bodiless=request.method == "HEAD" or answer.status in BODILESS)
        if self.closing or self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
            return False
        self._h11.start_next_cycle()
        self._first = False
        self._reading_since = self._loop.time()
        return True

    # ------------------------------------------------------------------ in

    async def _request(self) -> Request | None:
        """None where the client ended the connection, or sent nothing for too long."""
        event = await self._head()
        if event is None:
            return None
        self._first = False
        head = read_head(event, self._limits)
        body = await self._body(head.length)
        return Request(head.method, head.path, head.authority, head.headers, body, self._peer)

    async def _head(self) -> h11.Request | None:
        started = bool(self._h11.trailing_data[0])
        seconds = self._limits.head_seconds if started or self._first else self._limits.idle_seconds
        deadline = self._loop.time() + seconds
        while True:
            event = self._next()
            if isinstance(event, h11.Request):
                return event
            if event is not h11.NEED_DATA:
                return None
            try:
                data = await self._receive(deadline)
            except TimeoutError:
                if not started and not self._first:
                    return None
                line = f"the request head was not complete within {self._limits.head_seconds:g} s"
                raise Refused(408, line, "head_timeout") from None
            if not data:
                return None
            if not started:
                started = True
                deadline = self._loop.time() + self._limits.head_seconds
            self._h11.receive_data(data)

    async def _body(self, length: int | None) -> bytes:
        if length is not None and length > self._limits.body_bytes:
            raise self._too_long()
        if self._h11.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=100, headers=[])
            await self._wire.send(self._h11.send(go_on) or b"")
        body = bytearray()
        deadline = self._loop.time() + self._limits.body_seconds
        while True:
            event = self._next()
            if isinstance(event, h11.Data):
                body += event.data
                if len(body) > self._limits.body_bytes:
                    raise self._too_long()
            elif isinstance(event, h11.EndOfMessage):
                return bytes(body)
            elif event is h11.NEED_DATA:
                try:
                    data = await self._receive(deadline)
                except TimeoutError:
                    line = f"the request body was not complete within {self._limits.body_seconds:g} s"
                    raise Refused(408, line, "body_timeout") from None
                self._h11.receive_data(data)
            else:
                raise ConnectionResetError("gone in the body")

    def _next(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        try:
            return self._h11.next_event()
        except h11.RemoteProtocolError as error:
            raise refusal(error, self._h11.trailing_data[0], self._limits) from None

    async def _receive(self, deadline: float) -> bytes:
        async with asyncio.timeout_at(deadline):
            return await self._wire.receive()

    def _too_long(self) -> Refused:
        return Refused(413, f"the body is longer than {self._limits.body_bytes} bytes", "body_size")

    # ------------------------------------------------------------------ out

    async def _send(self, answer: Answer, *, bodiless: bool) -> None:
        async with asyncio.timeout(self._limits.answer_seconds):
            head = self._h11.send(self._response(answer)) or b""
            pieces = [] if bodiless else [piece for piece in answer.pieces if piece]
            if len(pieces) == 1 and len(pieces[0]) <= self._limits.write_bytes:
                head, pieces = head + self._through(pieces[0]), []
            await self._wire.send(head)
            for piece in pieces:
                # h11 only counts: the piece itself goes to the socket, never a copy.
                self._through(piece)
                await self._wire.send(piece)
            self._h11.send(h11.EndOfMessage())

    def _through(self, piece: bytes) -> bytes:
        self._h11.send_with_data_passthrough(h11.Data(data=piece))
        return piece

    def _response(self, answer: Answer) -> h11.Response:
        length = sum(map(len, answer.pieces))
        headers: list[tuple[str, str]] = [
            ("Date", formatdate(usegmt=True)),
            ("Content-Type", answer.content_type),
            ("Content-Length", str(length)),
        ]
        if answer.close or self.closing:
            headers.append(("Connection", "close"))
        return h11.Response(
            status_code=answer.status,
            reason=phrase(answer.status).encode(),
            headers=[(name.encode(), value.encode()) for name, value in chain(headers, answer.headers)],
        )

    async def _refuse(self, refused: Refused) -> None:
        """Answers, then reads a little of what still comes: a reset would take the answer away from the client."""
        if self._h11.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        self._reading_since = self._loop.time()
        await self._send(text(refused.status, refused.line, close=True), bodiless=False)
        await self._wire.finish()
        left = self._limits.linger_bytes
        try:
            async with asyncio.timeout(self._limits.linger_seconds):
                while left > 0 and (data := await self._wire.receive()):
                    left -= len(data)
        except (OSError, TimeoutError):
            return
