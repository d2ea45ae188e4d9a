"""Reads a listen address: `:10919`, `127.0.0.1:0`, `[::1]:1234`, `unix:/run/scalpels/agent.sock`. Binds nothing."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

UNIX = "unix:"
UNIX_PATH_BYTES = 107  # sun_path without its final zero


class ListenProblem(Exception):
    """A listen address that cannot be read or bound. The text is the one line that the user reads."""


@dataclass(frozen=True, slots=True)
class Tcp:
    host: str  # "" means every interface
    port: int


@dataclass(frozen=True, slots=True)
class Unix:
    path: str


def parse(text: str) -> Tcp | Unix:
    """Raises ListenProblem."""
    if text.startswith(UNIX):
        path = text[len(UNIX) :]
        if not path.startswith("/") or len(path.encode()) > UNIX_PATH_BYTES or "\0" in path:
            raise ListenProblem(
                f"listen address {text!r}: expected unix: and an absolute path of at most {UNIX_PATH_BYTES} bytes"
            )
        return Unix(path)
    host, colon, port = text.rpartition(":")
    if not colon:
        raise ListenProblem(f"listen address {text!r}: expected HOST:PORT, :PORT or unix:/PATH")
    if not (port.isascii() and port.isdecimal() and int(port) <= 65535):
        raise ListenProblem(f"listen address {text!r}: expected a port from 0 to 65535, got {port!r}")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ListenProblem(f"listen address {text!r}: write an IPv6 address in brackets, as in [::1]:10919")
    return Tcp(host, int(port))


def plain_ip(text: str) -> IPv4Address | IPv6Address | None:
    """The address without a zone; an IPv4 address that came through a dual-stack socket as IPv4. None for a name."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def is_loopback(text: str) -> bool:
    address = plain_ip(text)
    return address is not None and address.is_loopback


def written(host: str, port: int) -> str:
    """`host:port` as it is typed, IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
