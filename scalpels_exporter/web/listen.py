"""Binds the listen addresses, all or none. Accepts nothing: `server` does."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scalpels_exporter.web.address import ListenProblem, Tcp, Unix, is_loopback, parse, plain_ip, written
from scalpels_exporter.web.limits import Limits

SOCKET_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Listener:
    """One bound socket. `identity` is (device, inode) of a Unix socket's file, so that only our own is removed."""

    socket: socket.socket
    address: str  # as bound: 127.0.0.1:43211, [::]:10919, unix:/run/scalpels/agent.sock
    path: str = ""
    identity: tuple[int, int] = (0, 0)

    @property
    def unix(self) -> bool:
        return bool(self.path)

    @property
    def loopback(self) -> bool:
        return self.unix or is_loopback(self.socket.getsockname()[0])

    def close(self) -> None:
        self.socket.close()
        if self.path and _identity(self.path) == self.identity:
            with suppress(OSError):
                Path(self.path).unlink()


def bind_all(addresses: Sequence[str], limits: Limits) -> list[Listener]:
    """Raises ListenProblem, and then leaves nothing bound."""
    if not addresses:
        raise ListenProblem("no listen address was given")
    bound: list[Listener] = []
    try:
        for text in addresses:
            bound.append(_bind(text, limits))
    except ListenProblem:
        for listener in bound:
            listener.close()
        raise
    return bound


def _bind(text: str, limits: Limits) -> Listener:
    address = parse(text)
    try:
        return _bind_unix(address, limits) if isinstance(address, Unix) else _bind_tcp(address, limits)
    except OSError as error:
        why = error.strerror or str(error)
        if isinstance(error, PermissionError):
            what = f"write to {Path(address.path).parent}" if isinstance(address, Unix) else "use ports below 1024"
            why += f": uid {os.geteuid()}, which the agent runs as by now, may not {what}"
        raise ListenProblem(f"cannot listen on {text}: {why}") from None


def _bind_tcp(address: Tcp, limits: Limits) -> Listener:
    family, host = _resolve(address)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Set on the listener, because the accepted sockets inherit them and the window is fixed in the handshake.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.socket_send_bytes)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, limits.socket_receive_bytes)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if host == "::" else 1)
        sock.bind((host, address.port))
        sock.listen(limits.backlog)
    except OSError:
        sock.close()
        raise
    name = sock.getsockname()
    return Listener(sock, written(name[0], name[1]))


def _resolve(address: Tcp) -> tuple[int, str]:
    """A name gives its first IPv4 address, else its first IPv6 address, as Go's net.Listen does."""
    if not address.host:
        return (socket.AF_INET6, "::") if _has_ipv6() else (socket.AF_INET, "0.0.0.0")
    literal = plain_ip(address.host)
    if literal is not None and "%" not in address.host:
        return (socket.AF_INET6 if literal.version == 6 else socket.AF_INET), str(literal)
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    return found[0][0], str(found[0][4][0])


def _has_ipv6() -> bool:
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
    except OSError:  # booted with ipv6.disable=1
        return False
    return True


def _bind_unix(address: Unix, limits: Limits) -> Listener:
    _remove_stale(address.path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.bind(address.path)
        # Nobody can connect before listen(), so there is no moment at which the wider mode counts.
        Path(address.path).chmod(SOCKET_MODE)
        sock.listen(limits.backlog)
    except OSError:
        sock.close()
        raise
    return Listener(sock, f"unix:{address.path}", address.path, _identity(address.path))


def _remove_stale(path: str) -> None:
    """Removes the socket file that a dead agent left; raises ListenProblem when somebody answers on it."""
    try:
        mode = Path(path).lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ListenProblem(f"cannot listen on unix:{path}: the file is there and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a full backlog says EAGAIN, which is an answer too
        outcome = probe.connect_ex(path)
    if outcome != errno.ECONNREFUSED:
        why = "another process answers on it" if outcome in (0, errno.EAGAIN) else os.strerror(outcome)
        raise ListenProblem(f"cannot listen on unix:{path}: {why}")
    Path(path).unlink()


def _identity(path: str) -> tuple[int, int]:
    try:
        found = Path(path).lstat()
    except OSError:
        return (0, 0)
    return (found.st_dev, found.st_ino)
