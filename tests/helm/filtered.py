"""Runs a command under what container runtimes' default filter forbids to a container with these capabilities.

Usage: filtered.py CAPABILITY,… COMMAND…

Not their whole list, which allows some 350 calls: those that it makes depend on capabilities, and those that tracing
tools are known to trip over. It must be without new privileges.
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


def main() -> None:
    given = set(sys.argv[1].split(","))
    allowed_by_admin = {"BPF", "PERFMON"} if "SYS_ADMIN" in given else set()
    found = headers.find()
    assert found is not None
    numbers = {name: number for number, name in found.numbers().items()}
    denied = [*ALWAYS, *(c for name, calls in WITHOUT.items() if name not in given | allowed_by_admin for c in calls)]
    code = instruction(0x20, 0)
    for call in denied:
        code += instruction(0x15, numbers[call], no=1) + instruction(0x06, EPERM)
    if "SYS_ADMIN" not in given:
        code += instruction(0x15, numbers["clone3"], no=1) + instruction(0x06, ENOSYS)
    code += instruction(0x06, ALLOW)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    if ctypes.CDLL(None).prctl(22, 2, program, 0, 0) != 0:
        sys.exit("the filter was not taken")
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
