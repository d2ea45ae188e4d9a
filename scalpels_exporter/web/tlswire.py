"""TLS over a PlainWire: the handshake, then the same calls. Chooses no key and no version: `tls` makes the context.

asyncio's own TLS holds a 256 KiB buffer for each connection and cannot be given another context for the
next connection; here a connection holds one encrypted piece.
"""

from __future__ import annotations

import ssl
from contextlib import suppress

from scalpels_exporter.web.limits import Limits
from scalpels_exporter.web.wire import PlainWire

HANDSHAKE_RECORD = 0x16


class NotTls(Exception):
    """The client's first byte is not a TLS handshake: most often plain HTTP."""


class TlsWire:
    def __init__(self, plain: PlainWire, context: ssl.SSLContext, limits: Limits) -> None:
        self._plain = plain
        self._limits = limits
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    @property
    def waiting_since(self) -> float | None:
        return self._plain.waiting_since

    @property
    def tls(self) -> ssl.SSLObject:
        return self._tls

    async def handshake(self) -> None:
        """Raises NotTls, ssl.SSLError or OSError; bounded in time by the caller."""
        data = await self._plain.receive()
        if data and data[0] != HANDSHAKE_RECORD:
            raise NotTls
        while True:
            if not data:
                raise ConnectionResetError("gone in the handshake")
            self._incoming.write(data)
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                data = await self._plain.receive()
            except ssl.SSLError:
                await self._flush()  # the alert that says why
                raise
            else:
                await self._flush()
                return

    async def receive(self) -> bytes:
        while True:
            try:
                return self._tls.read(self._limits.read_bytes)
            except ssl.SSLWantReadError:
                await self._flush()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""
            except ssl.SSLError as error:
                raise ConnectionResetError(error.reason) from None
            data = await self._plain.receive()
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    async def send(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            try:
                sent = self._tls.write(view[: self._limits.write_bytes])
            except ssl.SSLError as error:
                raise ConnectionResetError(error.reason) from None
            view = view[sent:]
            await self._flush()

    async def finish(self) -> None:
        with suppress(ssl.SSLError, OSError, TimeoutError):
            try:
                self._tls.unwrap()
            except ssl.SSLWantReadError:  # the client's own farewell is not waited for
                await self._flush()
        await self._plain.finish()

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._plain.send(self._outgoing.read())
