"""Takes from the agent proper what it never needs: starting programs, making processes, looking into others.

A seccomp filter on top of the dropped capabilities, for the process that faces the network. It makes the
forbidden calls fail with EPERM; threads stay possible. On an architecture that is not in the table nothing is
filtered, and `confine` says so by returning False.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct

_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_CLONE_THREAD = 0x00010000
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_EPERM = 1
_ENOSYS = 38
_LOAD, _JUMP_EQUAL, _JUMP_SET, _JUMP_GE, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_OFFSET_NUMBER, _OFFSET_ARCH, _OFFSET_ARG0_LOW = 0, 4, 16

# Per machine: AUDIT_ARCH, clone, clone3, and the calls that fail with EPERM.
_MACHINES: dict[str, tuple[int, int, int, tuple[int, ...]]] = {
    # execve execveat fork vfork ptrace process_vm_readv process_vm_writev bpf perf_event_open unshare setns mount
    # umount2 pivot_root chroot init_module finit_module delete_module kexec_load kexec_file_load keyctl add_key
    # request_key userfaultfd io_uring_setup open_by_handle_at pidfd_getfd
    "x86_64": (
        0xC000003E, 56, 435,
        (59, 322, 57, 58, 101, 310, 311, 321, 298, 272, 308, 165, 166, 155, 161, 175, 313, 176, 246, 320, 250, 248,
         249, 323, 425, 304, 438),
    ),
    "aarch64": (
        0xC00000B7, 220, 435,
        (221, 281, 117, 270, 271, 280, 241, 97, 268, 40, 39, 41, 51, 105, 273, 106, 104, 294, 219, 217, 218, 282,
         425, 265, 438),
    ),
}  # fmt: skip
_X32_BIT = 0x40000000


def _instruction(code: int, k: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, k)


def program(machine: str) -> bytes | None:
    """The classic BPF program for `machine`, or None where the table lacks it."""
    if machine not in _MACHINES:
        return None
    arch, clone, clone3, refused = _MACHINES[machine]
    deny, missing, allow = (
        _instruction(_RETURN, _ERRNO | _EPERM),
        _instruction(_RETURN, _ERRNO | _ENOSYS),
        _instruction(_RETURN, _ALLOW),
    )
    lines = [
        _instruction(_LOAD, _OFFSET_ARCH),
        _instruction(_JUMP_EQUAL, arch, yes=1),
        deny,  # a foreign ABI has other numbers
        _instruction(_LOAD, _OFFSET_NUMBER),
        _instruction(_JUMP_GE, _X32_BIT, no=1),
        deny,
        _instruction(_JUMP_EQUAL, clone3, no=1),
        missing,  # its flags lie behind a pointer: glibc then takes clone, whose flags can be read here
        _instruction(_JUMP_EQUAL, clone, no=4),
        _instruction(_LOAD, _OFFSET_ARG0_LOW),
        _instruction(_JUMP_SET, _CLONE_THREAD, yes=1),
        deny,  # a new process
        allow,  # a new thread
    ]
    for number in refused:
        lines += [_instruction(_JUMP_EQUAL, number, no=1), deny]
    lines.append(allow)
    return b"".join(lines)


def confine(machine: str = "") -> bool:
    """Installs the filter for this thread and all it starts. Needs no_new_privs. False where no filter is known."""
    code = program(machine or platform.machine())
    if code is None:
        return False
    buffer = ctypes.create_string_buffer(code, len(code))
    fprog = struct.pack("@HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, fprog, 0, 0) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")
    return True
