"""Runs a command under a filter of system calls. Whoever starts it must be without new privileges.

Usage: filtered.py default CAPABILITY,… COMMAND…     what container runtimes forbid to a container with these
       filtered.py only CALL,… COMMAND…              these calls and no others

Of the runtimes' list, which allows some 350 calls, what depends on capabilities and what tracing tools trip over.
"""

import ctypes
import os
import struct
import sys

from scalpels_exporter.bpf import headers

ALWAYS = ("add_key", "request_key", "keyctl", "userfaultfd", "io_uring_setup", "kexec_load", "pivot_root", "swapon")
WITHOUT = {
    "BPF": ("bpf",),
    "PERFMON": ("perf_event_open",),
    "DAC_READ_SEARCH": ("open_by_handle_at",),
    "SYS_ADMIN": ("mount", "umount2", "unshare", "setns", "fsopen", "fsmount", "move_mount", "quotactl", "sethostname"),
    "SYS_CHROOT": ("chroot",),
    "SYS_MODULE": ("init_module", "finit_module", "delete_module"),
    "SYS_NICE": ("mbind", "get_mempolicy", "set_mempolicy"),
    "SYS_PTRACE": ("kcmp", "pidfd_getfd", "process_madvise", "process_vm_readv", "process_vm_writev"),
    "SYSLOG": ("syslog",),
}
ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x00050001, 0x00050026


def instruction(code: int, k: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, k)


def forbidden(capabilities: set[str], numbers: dict[str, int]) -> bytes:
    allowed_by_admin = {"BPF", "PERFMON"} if "SYS_ADMIN" in capabilities else set()
    have = capabilities | allowed_by_admin
    code = b""
    for call in [*ALWAYS, *(call for name, calls in WITHOUT.items() if name not in have for call in calls)]:
        code += instruction(0x15, numbers[call], no=1) + instruction(0x06, EPERM)
    if "SYS_ADMIN" not in capabilities:
        code += instruction(0x15, numbers["clone3"], no=1) + instruction(0x06, ENOSYS)
    return code + instruction(0x06, ALLOW)


def allowed(calls: list[str], numbers: dict[str, int]) -> bytes:
    """Names that this machine has not are those of other architectures."""
    code = b""
    for call in calls:
        if call in numbers:
            code += instruction(0x15, numbers[call], no=1) + instruction(0x06, ALLOW)
    return code + instruction(0x06, EPERM)


def main() -> None:
    _, mode, names, *command = sys.argv
    found = headers.find()
    assert found is not None
    numbers = {name: number for number, name in found.numbers().items()}
    words = names.split(",")
    code = instruction(0x20, 0) + (forbidden(set(words), numbers) if mode == "default" else allowed(words, numbers))
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    if ctypes.CDLL(None).prctl(22, 2, program, 0, 0) != 0:
        sys.exit("the filter was not taken")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
