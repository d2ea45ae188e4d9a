"""From an accepted socket to a wire and a known peer: who is it, and does TLS come about. Reads no HTTP."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import struct
from contextlib import suppress

from scalpels_exporter.web.address import plain_ip
from scalpels_exporter.web.inforce import InForce
from scalpels_exporter.web.limits import Limits
from scalpels_exporter.web.listen import Listener
from scalpels_exporter.web.message import Peer, phrase
from scalpels_exporter.web.tls import names, subject
from scalpels_exporter.web.tlswire import NotTls, TlsWire
from scalpels_exporter.web.wire import PlainWire, Wire

UCRED = struct.Struct("3i")  # pid, uid, gid


class Unwelcome(Exception):
    """The connection ends before its first request; `reason` is counted."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


async def establish(sock: socket.socket, listener: Listener, in_force: InForce, limits: Limits) -> tuple[Wire, Peer]:
    """Raises Unwelcome, after telling the client where it can be told; OSError where the client is gone."""
    plain = PlainWire(sock, limits)
    if listener.unix:
        uid = UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size))[1]
        if uid not in (0, os.geteuid()):
            await _tell(plain, 403, "this socket is for root and the agent's own user", limits)
            raise Unwelcome("peer")
        return plain, Peer(f"unix:uid={uid}", unix=True)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    host = sock.getpeername()[0]
    address = str(plain_ip(host) or host)
    await in_force.refresh()
    context = in_force.config.context
    if context is None:
        return plain, Peer(address)
    wire = TlsWire(plain, context, limits)
    try:
        async with asyncio.timeout(limits.handshake_seconds):
            await wire.handshake()
    except NotTls:
        await _tell(plain, 400, "this port speaks TLS: use https://", limits)
        raise Unwelcome("handshake") from None
    except (ssl.SSLError, TimeoutError):
        raise Unwelcome("handshake") from None
    return wire, Peer(address, secure=True, certificate=_certificate(wire, in_force))


def _certificate(wire: TlsWire, in_force: InForce) -> str:
    """The name in the client's certificate. OpenSSL has verified it by now; the allowed names are checked here."""
    tls = in_force.config.tls
    if tls is None or tls.client_auth is ssl.CERT_NONE:
        return ""
    certificate: dict[str, object] = dict(wire.tls.getpeercert() or {})
    if tls.allowed_sans and not set(tls.allowed_sans) & set(names(certificate)):
        raise Unwelcome("handshake")
    return subject(certificate) if certificate else ""


async def _tell(wire: PlainWire, status: int, line: str, limits: Limits) -> None:
    with suppress(OSError, TimeoutError):
        await wire.send(short_answer(status, line))
        await wire.finish()
        async with asyncio.timeout(limits.linger_seconds):
            while await wire.receive():
                pass


def short_answer(status: int, line: str) -> bytes:
    """An answer to a request that nobody read."""
    body = line.encode() + b"\n"
    head = (
        f"HTTP/1.1 {status} {phrase(status)}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
