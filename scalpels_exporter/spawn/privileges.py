"""Capabilities, users and process controls of the present process, through prctl and capset.

Linux only, no dependency: the few calls that the standard library lacks, by ctypes. Decides nothing:
`child` and `agent` say which privileges stay.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from collections.abc import Iterable

from scalpels_exporter.capabilities import NAMES, capabilities_of

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_KEEPCAPS = 8
_PR_SET_NAME = 15
_PR_CAPBSET_READ = 23
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522


def prctl(option: int, arg2: int = 0, arg3: int = 0) -> int:
    result: int = _libc.prctl(option, ctypes.c_ulong(arg2), ctypes.c_ulong(arg3), ctypes.c_ulong(0), ctypes.c_ulong(0))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}, {arg2}): {os.strerror(number)}")
    return result


def _set_capabilities(names: Iterable[str]) -> None:
    """Permitted and effective become exactly `names`; inheritable too, so that ambient may be raised."""
    mask = sum(1 << NAMES.index(name) for name in set(names))
    low, high = mask & 0xFFFFFFFF, mask >> 32
    header = struct.pack("=II", _CAPABILITY_VERSION_3, 0)
    data = struct.pack("=IIIIII", low, low, low, high, high, high)
    if _libc.capset(header, data) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"capset: {os.strerror(number)}")


def keep_only(names: Iterable[str], uid: int | None = None, gid: int | None = None) -> frozenset[str]:
    """Becomes `uid`/`gid` (when given) with exactly those of `names` that the process has now, and can gain none again.

    Returns what was kept. The bounding set is emptied where CAP_SETPCAP allows; no_new_privs is always set,
    so no set-uid program and no file capability gives anything back.
    """
    kept = capabilities_of() & frozenset(names)
    if "CAP_SETPCAP" in capabilities_of():
        for number, name in enumerate(NAMES):
            if name not in kept:
                _drop_bounding(number)
    prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    if uid is not None and gid is not None:
        prctl(_PR_SET_KEEPCAPS, 1)
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        prctl(_PR_SET_KEEPCAPS, 0)
    _set_capabilities(kept)
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
    return kept


def _drop_bounding(number: int) -> None:
    try:
        if prctl(_PR_CAPBSET_READ, number):
            prctl(_PR_CAPBSET_DROP, number)
    except OSError:
        return  # a kernel that does not know this capability yet


def raise_ambient(names: Iterable[str]) -> None:
    """Lets `names` survive an exec of a process that is not root."""
    for name in names:
        prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, NAMES.index(name))


def die_with_parent(parent: int, number: int = signal.SIGKILL) -> None:
    """The kernel sends `number` when the parent ends. Call after every change of user: a change clears it."""
    prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)  # it ended before the call


def adopt_orphans() -> None:
    """Descendants whose parent ends become children of this process, so that it can find and end them."""
    prctl(_PR_SET_CHILD_SUBREAPER, 1)


def call_itself(name: str) -> None:
    """What `ps -o comm` and `top` show for this process; the kernel keeps 15 bytes."""
    buffer = ctypes.create_string_buffer(name.encode()[:15])
    prctl(_PR_SET_NAME, ctypes.addressof(buffer))


def hide_memory() -> None:
    """No core dump, no ptrace, no /proc/PID/mem for other processes of the same user."""
    prctl(_PR_SET_DUMPABLE, 0)
