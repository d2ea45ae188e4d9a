"""The kernel's capabilities by name, and which of them a process has. Changes none: `spawn.privileges` does."""

from __future__ import annotations

from pathlib import Path

# In the order of their bits in linux/capability.h.
NAMES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
)


def capabilities_of(pid: int | str = "self", proc: str = "/proc", *sets: str) -> frozenset[str]:
    """The names in any of these sets of /proc/PID/status (CapPrm when none is given); empty where it cannot be read."""
    mask = 0
    for field in sets or ("CapPrm",):
        mask |= _number(_status(pid, proc).get(field, ""))
    return frozenset(name for bit, name in enumerate(NAMES) if mask >> bit & 1)


def effective_user(pid: int | str = "self", proc: str = "/proc") -> int | None:
    """None where it cannot be read."""
    words = _status(pid, proc).get("Uid", "").split()
    return int(words[1]) if len(words) > 1 else None


def _number(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        return 0


def _status(pid: int | str, proc: str) -> dict[str, str]:
    try:
        text = Path(proc, str(pid), "status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return {}
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
