"""What a loader sends to its worker: every descriptor with its name, then that it is done, or why it failed.

One SOCK_SEQPACKET socket, JSON and SCM_RIGHTS. The reader trusts the sender, which holds more privileges.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

_LIMIT = 64 * 1024
_MOST_DESCRIPTORS = 64  # a packet; the kernel takes 253

MAPS, PROGRAMS, LINKS = "maps", "programs", "links"


@dataclass(slots=True)
class Handed:
    """What has arrived. The owner closes it, or ends."""

    maps: dict[str, int] = field(default_factory=dict)
    programs: dict[str, int] = field(default_factory=dict)
    links: list[int] = field(default_factory=list)  # tracepoints run while these are open
    facts: dict[str, Any] = field(default_factory=dict)

    def close(self) -> None:
        for descriptor in (*self.maps.values(), *self.programs.values(), *self.links):
            with contextlib.suppress(OSError):
                os.close(descriptor)


class Failed(Exception):
    """The loader says why it failed, and with which exit status the worker should end."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class Silent(Failed):
    """The loader ended without a word of its own."""


def give(sock: socket.socket, kind: str, names: Sequence[str], descriptors: Sequence[int]) -> None:
    for begin in range(0, len(names), _MOST_DESCRIPTORS):
        some = slice(begin, begin + _MOST_DESCRIPTORS)
        socket.send_fds(sock, [json.dumps([kind, names[some]]).encode()], list(descriptors[some]))


def done(sock: socket.socket, facts: dict[str, Any]) -> None:
    sock.send(json.dumps(["done", facts]).encode())


def failed(sock: socket.socket, text: str, status: int) -> None:
    sock.send(json.dumps(["failed", [text[:2000], status]]).encode())


def take(sock: socket.socket) -> Handed:
    """All of it, once the loader has said that it is done. Raises Failed; what had arrived is closed then."""
    handed = Handed()
    try:
        while True:
            packet, descriptors, flags, _ = socket.recv_fds(sock, _LIMIT, _MOST_DESCRIPTORS)
            if not packet:
                raise Silent("the loader ended before it was done", 1)
            kind, content = json.loads(packet)
            _sort_in(handed, kind, content, descriptors)
            if flags & socket.MSG_CTRUNC:
                raise Failed("there are not enough file descriptors for its maps and probes: raise the limit", 1)
            if kind == "done":
                handed.facts = content
                return handed
            if kind == "failed":
                raise Failed(content[0], content[1])
    except BaseException:
        handed.close()
        raise


def _sort_in(handed: Handed, kind: str, names: Sequence[str], descriptors: Sequence[int]) -> None:
    match kind:
        case "maps":
            handed.maps |= dict(zip(names, descriptors, strict=False))
        case "programs":
            handed.programs |= dict(zip(names, descriptors, strict=False))
        case "links":
            handed.links += descriptors
