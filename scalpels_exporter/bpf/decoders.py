"""What a number or text in a map's key means: a program's name, a system call, an errno, a device.

Each decoder gives a label's value for what `struct` unpacked. What is not known is said as its number.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scalpels_exporter.declare import Field

NAMES = ("number", "program", "syscall", "errno", "device", "text", "choice", "companion")
Decoder = Callable[[Any], str]
_MINOR_BITS = 20  # of the kernel's own dev_t


@dataclass(frozen=True, slots=True)
class Sources:
    """Where decoders look things up."""

    program: Callable[[int], str]
    syscalls: Mapping[int, str] = field(default_factory=dict)
    sys: str = "/sys"
    companion: Callable[[str, Any], str] = lambda _, member: str(member)  # label, what was unpacked → its value


def decoder(of: Field, sources: Sources) -> Decoder:
    match of.decoder:
        case "program":
            return sources.program
        case "syscall":
            return lambda number: sources.syscalls.get(number, str(number))
        case "errno":
            return lambda number: errno.errorcode.get(abs(number), str(abs(number)))
        case "device":
            return lambda number: _device(number, sources.sys)
        case "text":
            return lambda raw: raw.partition(b"\0")[0].decode(errors="replace")
        case "choice":
            words = of.words
            return lambda place: words[place] if 0 <= place < len(words) else "other"
        case "companion":
            return lambda member: sources.companion(of.label, member)
    return str


def _device(number: int, sys: str) -> str:
    """The kernel's name of a block device; major:minor of one that is gone or is none."""
    place = f"{number >> _MINOR_BITS}:{number & (1 << _MINOR_BITS) - 1}"
    try:
        return os.path.basename(os.readlink(f"{sys}/dev/block/{place}"))  # noqa: PTH115, PTH119 - text in, text out
    except OSError:
        return place
