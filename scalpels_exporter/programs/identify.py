"""What is known of a process from /proc: command line, executable, systemd unit, container. Reads; judges nothing."""

from __future__ import annotations

import os
import re

from scalpels_exporter.programs.rules import Facts

_CMDLINE_BYTES = 4096  # QEMU's and Java's go on far beyond; what names them stands in front
_CGROUP_BYTES = 4096
_CONTAINER = re.compile(r"(?:^|[/:-])([0-9a-f]{64})(?:\.scope)?(?=[/:]|$)")  # docker, containerd, cri-o, podman
_MONITOR = re.compile(r"(?:crio|libpod)-conmon-[0-9a-f]{64}(?:\.scope)?")  # stands beside the container, not in it
_LXC = re.compile(r"/lxc(?:\.payload)?[./]([^/]+)")
_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")


def facts(pid: int, proc: str = "/proc") -> Facts:
    """The facts of a process; empty texts where it has vanished or may not be looked at."""
    unit, container = parse_cgroup(_read(f"{proc}/{pid}/cgroup", _CGROUP_BYTES))
    cmdline = parse_cmdline(_read(f"{proc}/{pid}/cmdline", _CMDLINE_BYTES))
    return Facts(cmdline, _executable(f"{proc}/{pid}/exe"), unit, container)


def parse_cmdline(raw: bytes) -> str:
    """Arguments joined by one blank; the padding that a process leaves when it sets its title is cut off."""
    return raw.rstrip(b"\0 \n").replace(b"\0", b" ").decode(errors="replace")


def parse_cgroup(raw: bytes) -> tuple[str, str]:
    """The systemd unit and the container that /proc/PID/cgroup tells, "" for what it does not.

    The unit is the innermost service, else the innermost scope, with systemd's escapes (`\\x2d`) undone. The
    container is the first 12 characters of its id (docker, containerd, cri-o, podman), or its name (LXC).
    """
    unit = container = ""
    for path in _paths(raw.decode(errors="replace")):
        unit = unit or _unit(path)
        container = container or _container(path)
    return unit, container


def _paths(text: str) -> list[str]:
    """The paths of all hierarchies, the one that systemd keeps its units in first: v2's, then v1's name=systemd."""
    ranked = []
    for line in text.splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3 and parts[2] != "/":
            ranked.append((0 if not parts[1] else 1 if parts[1] == "name=systemd" else 2, parts[2]))
    return [path for _, path in sorted(ranked, key=lambda one: one[0])]


def _unit(path: str) -> str:
    words = path.split("/")
    for suffix in (".service", ".scope"):
        for word in reversed(words):
            if word.endswith(suffix):
                # A leading underscore is put before names that the kernel keeps for its own files.
                return _ESCAPED.sub(_unescape, word.removeprefix("_"))
    return ""


def _unescape(match: re.Match[str]) -> str:
    letter = chr(int(match[1], 16))
    return letter if letter.isprintable() and letter.isascii() else match[0]


def _container(path: str) -> str:
    if _MONITOR.search(path):
        return ""
    ids = _CONTAINER.findall(path)
    if ids:
        return str(ids[-1][:12])
    lxc = _LXC.search(path)
    return lxc[1] if lxc else ""


def _executable(link: str) -> str:
    try:
        return os.readlink(link).removesuffix(" (deleted)")  # noqa: PTH115 - a Path costs three times as much
    except OSError:
        return ""


def _read(path: str, most: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, most)
    except OSError:  # it vanished in between
        return b""
    finally:
        os.close(descriptor)
