"""Where the kernel shows its tracepoints, and their ids. Mounts tracefs for this process alone where it is missing."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

PLACES = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
CURE = "mount -t tracefs tracefs /sys/kernel/tracing"
_CLONE_NEWNS = 0x00020000
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000


class NoTracefs(Exception):
    """The text says why, and what to do."""


def look(places: tuple[str, ...] = PLACES) -> Path | None:
    """The folder that has `events`; None where it is mounted nowhere. NoTracefs where it may not be read."""
    closed = ""
    for place in places:
        try:
            os.close(os.open(f"{place}/events/header_page", os.O_RDONLY | os.O_CLOEXEC))
            return Path(place)
        except PermissionError:
            closed = place
        except OSError:
            continue
    if closed:
        raise NoTracefs(f"{closed} cannot be read: run the agent as root or with CAP_DAC_READ_SEARCH")
    return None


def open_up(places: tuple[str, ...] = PLACES) -> Path:
    """The same, mounted where it was not. Such a mount is seen by this process and its children alone."""
    found = look(places)
    if found is None:
        _mount(places[0])
    return found or Path(places[0])


def _mount(place: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    private = ctypes.c_ulong(_MS_REC | _MS_PRIVATE)
    steps: tuple[tuple[Any, tuple[object, ...]], ...] = (
        (libc.unshare, (_CLONE_NEWNS,)),
        (libc.mount, (b"none", b"/", None, private, None)),
        (libc.mount, (b"tracefs", place.encode(), b"tracefs", ctypes.c_ulong(0), None)),
    )
    for call, arguments in steps:
        if call(*arguments) != 0:
            reason = os.strerror(ctypes.get_errno())
            raise NoTracefs(f"tracefs is not mounted and cannot be mounted here ({reason}): {CURE}")


def identity(folder: Path, category: str, name: str) -> int | None:
    """The id of a tracepoint; None where this kernel has none of the name."""
    try:
        return int((folder / "events" / category / name / "id").read_text())
    except FileNotFoundError:
        return None
