"""Whether a request may start, stop or reload, and in whose name. A pure function of what is known about it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from scalpels_exporter.web.address import is_loopback
from scalpels_exporter.web.message import Request

LOOPBACK_NAMES = ("localhost", "ip6-localhost", "ip6-loopback")
ORIGIN = re.compile(r"https?://([^/]+)", re.ASCII)
DEFAULT_PORT = re.compile(r":(80|443)$", re.ASCII)

HOW_TO_ALLOW = (
    "start, stop and reload are refused, because anyone who reaches this port could use them. To allow them, give "
    "basic_auth_users or client certificates in --web.config.file, or listen on 127.0.0.1 and unix: sockets alone, "
    "or use the agent's Unix socket"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    allowed: bool
    who: str = ""  # alice, cert:CN, unix:uid=0, loopback:127.0.0.1
    why: str = ""  # one line where it is not allowed


def may_control(request: Request, user: str, loopback_only: bool) -> Verdict:
    """`user` is the authenticated one, "" without; `loopback_only`: no TCP listener is reachable from outside."""
    if request.peer.unix:
        return Verdict(True, request.peer.address)
    # A browser adds a remembered password to any site's request, so a password is no excuse for a foreign origin.
    foreign = _foreign_origin(request)
    if foreign:
        return Verdict(False, why=foreign)
    if user:
        return Verdict(True, user)
    if not loopback_only:
        return Verdict(False, why=HOW_TO_ALLOW)
    # A name that somebody else's DNS points at 127.0.0.1 makes a browser send that name here.
    if not _names_loopback(request.authority):
        line = f"expected a loopback name or address in Host, got {request.authority[:100]!r}"
        return Verdict(False, why=f"{line}: without a password only requests to this machine itself are taken")
    return Verdict(True, f"loopback:{request.peer.address}")


def _foreign_origin(request: Request) -> str:
    site = request.headers.get("sec-fetch-site", "same-origin")
    if site not in ("same-origin", "none"):
        return f"refused: the request comes from another web site (Sec-Fetch-Site: {site[:40]})"
    origin = request.headers.get("origin")
    if origin is None:
        return ""
    match = ORIGIN.fullmatch(origin.lower())
    if match and _bare(match[1]) == _bare(request.authority.lower()):
        return ""
    return f"refused: the request comes from another web site (Origin: {origin[:100]})"


def _bare(authority: str) -> str:
    return DEFAULT_PORT.sub("", authority)


def _names_loopback(authority: str) -> bool:
    host = authority.lower()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") <= 1:
        host = host.partition(":")[0]
    return host in LOOPBACK_NAMES or host.endswith(".localhost") or is_loopback(host)
