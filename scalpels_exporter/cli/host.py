"""What of this host matters to every tracer: kernel, privileges, Python, what /proc shows. Looks, changes nothing.

Each check gives one Finding. Where it looks is injected, so that a test can show it another host.
"""

from __future__ import annotations

import os
import platform
import pwd
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scalpels_exporter.bpf import headers, toolkit, tracefs
from scalpels_exporter.needs import held, root_without
from scalpels_exporter.spawn.confine import program as seccomp_program

OK, NOTE, BAD = "ok", "note", "bad"  # NOTE: it works without, or it matters to tracers that are still to come


@dataclass(frozen=True, slots=True)
class Finding:
    subject: str
    verdict: str  # OK, NOTE or BAD
    found: str
    cure: str = ""  # what to do about it, "" when there is nothing to do


@dataclass(frozen=True, slots=True)
class Host:
    """Where to look. The defaults are this host."""

    proc: Path = Path("/proc")
    sys: Path = Path("/sys")
    os_release: Path = headers.OS_RELEASE
    headers: Path = Path("/usr/src")
    release: str = platform.release()
    machine: str = platform.machine()
    uid: int = os.geteuid()
    find_bcc: Callable[[], str | None] = toolkit.find
    has_user: Callable[[str], bool] = lambda name: _is_user(name)


def findings(host: Host, ambient: Iterable[str], measuring: Sequence[str] = ()) -> list[Finding]:
    """`ambient` are the capabilities that the tracers which are on need, `measuring` what else tells their cost."""
    needed = sorted(set(ambient))
    return [
        Finding("kernel", OK, f"{host.release} on {host.machine}"),
        Finding("python", OK, f"{platform.python_version()} ({sys.executable})"),
        _privileges(host, needed),
        Finding("capabilities", OK, _for_a_unit(needed, measuring)),
        _processes(host),
        _seccomp(host),
        _users(host),
        _btf(host),
        _tracefs(host),
        _bcc(host),
        _headers(host),
    ]


def _for_a_unit(needed: list[str], measuring: Sequence[str]) -> str:
    """What lets an ordinary user's agent run these tracers, as a systemd unit has it."""
    if not needed:
        return "an agent that is not root needs none"
    more = f"; {' '.join(measuring)} too, to measure what its kernel programs cost" if measuring else ""
    return f"an agent that is not root needs AmbientCapabilities={' '.join(needed)}{more}"


def _privileges(host: Host, needed: list[str]) -> Finding:
    who = "root" if host.uid == 0 else f"uid {host.uid}"
    have = held(str(host.proc))
    missing = [name for name in needed if name not in have]
    if missing:
        # Under sudo the answer is that for a root agent; a root that lacks them has nothing to gain from sudo.
        cure = root_without(missing) if host.uid == 0 else "sudo scalpels doctor"
        return Finding("privileges", BAD, f"{who} without {' '.join(missing)}", cure)
    return Finding("privileges", OK, f"{who} with all that is needed" if needed else who)


def _processes(host: Host) -> Finding:
    """hidepid hides other users' processes from all who lack CAP_SYS_PTRACE or the mount's group."""
    subject = "processes"
    try:
        mounts = (host.proc / "self" / "mounts").read_text(errors="replace").splitlines()
    except OSError as error:
        return Finding(subject, BAD, f"{host.proc} cannot be read: {error.strerror}", "mount -t proc proc /proc")
    options = next((w[3] for line in mounts if len(w := line.split()) > 3 and w[2] == "proc" and w[1] == "/proc"), "")
    hidden = dict(o.partition("=")[::2] for o in options.split(",")).get("hidepid", "0")
    if hidden in ("0", "off"):
        return Finding(subject, OK, "/proc shows those of every user")
    found = f"/proc is mounted with hidepid={hidden}"
    if "CAP_SYS_PTRACE" in held(str(host.proc)):
        return Finding(subject, OK, f"{found}, which CAP_SYS_PTRACE sees through")
    return Finding(subject, BAD, found, "mount -o remount,hidepid=0 /proc, or give the agent CAP_SYS_PTRACE")


def _seccomp(host: Host) -> Finding:
    if seccomp_program(host.machine) is not None:
        return Finding("seccomp", OK, f"the agent is confined on {host.machine}")
    return Finding("seccomp", NOTE, f"no filter is known for {host.machine}: the agent runs without one")


def _users(host: Host) -> Finding:
    missing = [name for name in ("scalpels", "scalpels-worker") if not host.has_user(name)]
    if host.uid != 0:
        return Finding("users", OK, f"everything runs as uid {host.uid}")
    if not missing:
        return Finding("users", OK, "scalpels for the agent, scalpels-worker for its workers")
    return Finding(
        "users",
        NOTE,
        f"{' and '.join(missing)} not there: a number is used instead",
        f"{' && '.join(f'useradd --system --no-create-home {name}' for name in missing)}",
    )


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


# ---------------------------------------------------------------------------- for tracers with BPF programs


def _btf(host: Host) -> Finding:
    file = host.sys / "kernel" / "btf" / "vmlinux"
    if os.access(file, os.R_OK):
        return Finding("btf", OK, str(file))
    return Finding("btf", NOTE, f"{file} not there", "boot a kernel with CONFIG_DEBUG_INFO_BTF, such as Debian's own")


def _tracefs(host: Host) -> Finding:
    try:
        found = tracefs.look(tuple(str(host.sys / path) for path in ("kernel/tracing", "kernel/debug/tracing")))
    except tracefs.NoTracefs:
        return Finding("tracefs", NOTE, "cannot be read by this user without CAP_DAC_READ_SEARCH")
    return Finding("tracefs", OK, str(found)) if found else Finding("tracefs", NOTE, "not mounted", tracefs.CURE)


def _bcc(host: Host) -> Finding:
    version = host.find_bcc()
    problem = toolkit.problem(version)
    if problem:
        what, cure = problem
        return Finding("bcc", NOTE, what, cure)
    return Finding("bcc", OK, version or "installed")


def _headers(host: Host) -> Finding:
    own = host.headers / f"linux-headers-{host.release}"
    if own.is_dir():
        return Finding("headers", OK, str(own))
    others = sorted(path.name for path in host.headers.glob("linux-headers-*"))
    if others:
        return Finding("headers", OK, f"{others[-1]} (not the running kernel's, which serves as well)")
    return Finding("headers", NOTE, "none installed", f"apt install {headers.package(host.machine, host.os_release)}")
