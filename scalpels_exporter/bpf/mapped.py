"""Which files a process has mapped to execute, and how to open them, in whatever container it lives."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass

# 7f5d…-7f5d… r-xp 00024000 fd:01 1234      /usr/lib/x86_64-linux-gnu/libssl.so.3
_EXECUTABLE = re.compile(
    rb"^([0-9a-f]+-[0-9a-f]+) [r-][w-]x[ps] [0-9a-f]+ ([0-9a-f]+:[0-9a-f]+) ([1-9]\d*) +(/.*)$", re.M
)


@dataclass(frozen=True, slots=True)
class Mapped:
    """A file as one process sees it. `identity` is the device and the inode, as the kernel shows them."""

    identity: tuple[bytes, int]
    addresses: str
    path: bytes


def executables(pid: int, proc: str = "/proc") -> list[Mapped]:
    """Each file once. Nothing where the process is gone or may not be looked at."""
    try:
        with open(f"{proc}/{pid}/maps", "rb") as file:  # noqa: PTH123 - a Path costs more than the rest
            text = file.read()
    except OSError:
        return []
    found = {}
    for addresses, device, inode, path in _EXECUTABLE.findall(text):
        identity = (device, int(inode))
        if identity not in found:
            found[identity] = Mapped(identity, addresses.decode(), path)
    return list(found.values())


def opened(pid: int, mapped: Mapped, proc: str = "/proc") -> int:
    """A descriptor of the very file that is mapped. OSError where it cannot be had.

    By its mapping, which also finds what was deleted or replaced, and takes CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE.
    Else by its path as the process sees it, if that is still the same file.
    """
    with contextlib.suppress(OSError):
        return os.open(f"{proc}/{pid}/map_files/{mapped.addresses}", os.O_RDONLY | os.O_CLOEXEC)
    file = os.open(f"{proc}/{pid}/root".encode() + mapped.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if os.fstat(file).st_ino != mapped.identity[1]:
        os.close(file)
        raise FileNotFoundError(f"{os.fsdecode(mapped.path)} is not the file any more that process {pid} has mapped")
    return file
