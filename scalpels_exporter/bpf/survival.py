"""Whether a process with a seccomp filter survives the return of a probed function on this kernel: tried, not guessed.

On x86-64 Linux 6.11 and later return by a system call that no program makes itself. Until Linux 6.14, and fixes of 6.12
and 6.13, filters that did not know it refused it, which ends the process: a service in a container, or a confined unit.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import struct

from scalpels_exporter.bpf import calls

_CODE = {"x86_64": b"\x90\xc3"}  # a function that returns at once
_BREAKPOINT = 0xCC
_RETURN_CALLS = (335, 336)  # uretprobe, uprobe
_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER = 38, 22, 2
_LOAD, _JUMP_EQUAL, _RETURN, _ALLOW, _EPERM = 0x20, 0x15, 0x06, 0x7FFF0000, 0x00050001
_SURVIVED, _UNTRIED = 0, 3


def survives(kind: int, returning: int, cpu: int) -> bool:
    """False when a process of our own was killed. `kind` and `returning` are the PMU's. True where it is not tried."""
    code = _CODE.get(platform.machine())
    if code is None:
        return True
    file = os.memfd_create("probed", os.MFD_CLOEXEC)
    try:
        os.write(file, code.ljust(mmap.PAGESIZE, b"\0"))
        event = calls.perf_uprobe(kind, returning, f"/proc/self/fd/{file}", 0, cpu)
    except OSError:
        os.close(file)
        return True
    try:
        calls.enable(event)
        pid = os.fork()
        if pid == 0:
            _be_killed_or_not(file)
        _, status = os.waitpid(pid, 0)
        return not os.WIFSIGNALED(status)
    finally:
        os.close(event)
        os.close(file)


def _be_killed_or_not(file: int) -> None:
    """In the forked child; does not come back."""
    try:
        libc = ctypes.CDLL(None)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
        place = libc.mmap(None, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC, mmap.MAP_PRIVATE, file, 0)
        if place in (None, ctypes.c_void_p(-1).value) or ctypes.c_ubyte.from_address(place).value != _BREAKPOINT:
            os._exit(_UNTRIED)
        lines = [(_LOAD, 0, 0, 0)]
        for number in _RETURN_CALLS:
            lines += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, _EPERM)]
        lines.append((_RETURN, 0, 0, _ALLOW))
        program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))
        libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
        if libc.prctl(_SET_SECCOMP, _FILTER, struct.pack("@HxxxxxxP", len(lines), ctypes.addressof(program)), 0, 0):
            os._exit(_UNTRIED)
        ctypes.CFUNCTYPE(None)(place)()
        os._exit(_SURVIVED)
    finally:
        os._exit(_UNTRIED)
