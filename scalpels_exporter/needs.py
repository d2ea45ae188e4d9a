"""Whether this host, with the capabilities of this process, can run a tracer; what is missing and what mends it.

Looks and never changes anything. `doctor` prints the answer, a worker ends as unsupported because of it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from scalpels_exporter.bpf import btf, headers, toolkit, tracefs
from scalpels_exporter.capabilities import capabilities_of, effective_user
from scalpels_exporter.config.trust import Trust
from scalpels_exporter.declare import Bpf, Command, Parser, Tracer
from scalpels_exporter.runnable import hindrance, program_of, script_of

# Split off from CAP_SYS_ADMIN in Linux 5.8 and 5.9, which still stands for them.
_UNDER_SYS_ADMIN = frozenset({"CAP_BPF", "CAP_PERFMON", "CAP_CHECKPOINT_RESTORE", "CAP_SYSLOG"})

_OF_KERNEL_PROGRAMS = ("CAP_BPF", "CAP_PERFMON")
_TO_READ_TRACEFS, _TO_MOUNT_TRACEFS = "CAP_DAC_READ_SEARCH", "CAP_SYS_ADMIN"
TO_MEASURE = "CAP_SYS_ADMIN"  # without it kernel programs run, and what they cost is not known

# The number of the host's own process namespace, in every kernel since 3.8.
_FIRST_PID_NAMESPACE = 0xEFFFFFFC

# What brings a file that a kernel setting hides: beginning of the path → what to do.
_KERNEL_FILES = {
    "/proc/pressure": "boot with psi=1 on the kernel's command line",
    "/sys/kernel/btf": "boot a kernel with CONFIG_DEBUG_INFO_BTF, such as Debian's own",
    "/sys/kernel/tracing": "mount -t tracefs tracefs /sys/kernel/tracing",
    "/sys/kernel/debug": "mount -t debugfs debugfs /sys/kernel/debug",
}


@dataclass(frozen=True, slots=True)
class Lack:
    """One thing that the host does not give: what, and the command or step that mends it."""

    what: str
    cure: str

    def __str__(self) -> str:
        return f"{self.what}: {self.cure}"


def held(proc: str = "/proc") -> frozenset[str]:
    """The capabilities that this process has or can take: permitted or effective, for root also the bounding set.

    Empty where /proc/self/status cannot be read.
    """
    found = capabilities_of("self", proc, "CapPrm", "CapEff")
    if effective_user("self", proc) == 0:
        found |= capabilities_of("self", proc, "CapBnd")
    return found


def lacks(
    tracer: Tracer,
    proc: str = "/proc",
    *,
    capabilities: Set[str] | None = None,
    release: str | None = None,
    which: Callable[[str], str | None] = shutil.which,
    find_bcc: Callable[[], str | None] = toolkit.find,
    find_headers: Callable[[], object] = headers.find,
    find_tracefs: Callable[[], object] = tracefs.look,
) -> list[Lack]:
    """What this host lacks to run `tracer`, nothing when it can: kernel, capabilities, commands, files.

    `capabilities` are those that the worker will have when they are not those of this process.
    """
    needs = tracer.needs
    release = os.uname().release if release is None else release
    have = held(proc) if capabilities is None else capabilities
    found: list[Lack] = []
    if kernel_version(release) < needs.kernel:
        least = ".".join(map(str, needs.kernel))
        found.append(Lack(f"kernel {release} is older than {least}", f"boot a kernel of at least {least}"))
    wanted = _capabilities(tracer, find_tracefs)
    found += _lacking_capabilities(tuple(dict.fromkeys(wanted)), have, root=effective_user("self", proc) == 0)
    found += lacking_commands(tracer, which)
    for file in needs.files:
        path = f"{proc}{file.removeprefix('/proc')}" if file.startswith("/proc/") else file
        if not os.access(path, os.R_OK, effective_ids=True):
            found.append(_lacking_file(file, Path(path).exists(), tracer))
    if isinstance(tracer.runs, Bpf):
        found += _lacking_for_kernel_programs(release, find_bcc, find_headers)
        if _is_missing(find_tracefs) and _TO_MOUNT_TRACEFS not in have:
            found.append(Lack(f"tracefs is not mounted, and mounting it takes {_TO_MOUNT_TRACEFS}", tracefs.CURE))
        found += _lacking_numbers(proc)
    offsets = tracer.runs.offsets if isinstance(tracer.runs, Bpf | Parser) else ()
    if any(offset.required for offset in offsets) and not btf.VMLINUX.exists():
        found.append(_lacking_file(str(btf.VMLINUX), False, tracer))
    return found


def for_a_unit(tracers: Iterable[Tracer], find_tracefs: Callable[[], object] = tracefs.look) -> list[str]:
    """The capabilities with which an agent that is not root runs all these tracers on this host, in order."""
    found: set[str] = set()
    for tracer in tracers:
        found |= {*_capabilities(tracer, find_tracefs)}
        if isinstance(tracer.runs, Bpf):  # whatever this process can do without
            found |= {_TO_READ_TRACEFS} | ({_TO_MOUNT_TRACEFS} if _is_missing(find_tracefs) else set())
    return sorted(found)


def _capabilities(tracer: Tracer, find_tracefs: Callable[[], object]) -> tuple[str, ...]:
    """That a worker of the tracer needs, if it is like this process in all else."""
    if not isinstance(tracer.runs, Bpf):
        return tracer.needs.capabilities
    try:
        find_tracefs()
        return (*_OF_KERNEL_PROGRAMS, *tracer.needs.capabilities)
    except tracefs.NoTracefs:
        return (*_OF_KERNEL_PROGRAMS, *tracer.needs.capabilities, _TO_READ_TRACEFS)


def _is_missing(find_tracefs: Callable[[], object]) -> bool:
    try:
        return find_tracefs() is None
    except tracefs.NoTracefs:
        return False


def _lacking_numbers(proc: str) -> list[Lack]:
    """The kernel counts by the numbers that processes have on the host; in another namespace /proc has others."""
    try:
        namespace = os.stat(f"{proc}/self/ns/pid").st_ino  # noqa: PTH116 - Path.stat() says no more
    except OSError:
        return []
    if namespace == _FIRST_PID_NAMESPACE:
        return []
    what = "the agent sees other process numbers than the kernel: it runs in a process namespace of its own"
    return [Lack(what, "give it the host's: hostPID: true for a pod, --pid=host for a container")]


def required(tracer: Tracer, every: Mapping[str, Tracer]) -> list[Tracer]:
    """Those that must run beside it, in the order in which they are started."""
    found: list[Tracer] = []
    while (one := every.get(tracer.requires)) is not None and one not in found:
        found.insert(0, one)
        tracer = one
    return found


def lacks_with_host(tracer: Tracer, every: Mapping[str, Tracer]) -> list[Lack]:
    """And what its host lacks, where it lives in another one's worker: it cannot run without."""
    host = every.get(tracer.host)
    return list(dict.fromkeys([*(lacks(host) if host else ()), *lacks(tracer)]))


def _lacking_for_kernel_programs(
    release: str,
    find_bcc: Callable[[], str | None],
    find_headers: Callable[[], object],
) -> list[Lack]:
    found = []
    problem = toolkit.problem(find_bcc())
    if problem:
        found.append(Lack(*problem))
    if find_headers() is None:
        found.append(Lack("no kernel headers are installed", headers.cure(release)))
    return found


def lacking_commands(tracer: Tracer, which: Callable[[str], str | None] = shutil.which) -> list[Lack]:
    """The commands alone: those that are declared, and the program and script that a command tracer runs."""
    found = [_lacking_command(name, tracer) for name in _commands(tracer) if which(name) is None]
    runs = tracer.runs
    if not isinstance(runs, Command):
        return found
    for word, is_script in ((program_of(runs.argv), False), (script_of(runs.argv), True)):
        # Beside the stem, or with a parameter to be filled in: only the worker knows where.
        if not word.startswith("/") or any(f"{{{parameter.name}}}" in word for parameter in tracer.parameters):
            continue
        hindered = hindrance(Path(word), runs.privileged, script=is_script)
        if hindered:
            what, cure = hindered
            package = tracer.needs.packages.get(word)
            found.append(Lack(what, f"apt install {package}" if package else cure))
        elif runs.privileged and (others := Trust().problem(Path(word))):
            # It has come since the configuration was read.
            what = f"refused, because what runs with privileges must be root's alone: {others}"
            found.append(Lack(what, f"chown root {word}; chmod go-w {word}, and so for the folders above"))
    return found


def kernel_version(release: str) -> tuple[int, int]:
    """(6, 1) of `6.1.0-28-amd64`; (0, 0) of a text that begins with no version."""
    match = re.match(r"(\d+)\.(\d+)", release)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def root_without(missing: Collection[str]) -> str:
    """What gives capabilities to a root that was started without them: a container's, or that of a confined unit."""
    names = " ".join(missing)
    return (
        "give them to this root: --cap-add or securityContext.capabilities.add of its container "
        f"({names.replace('CAP_', '')}), or CapabilityBoundingSet={names} in its systemd unit"
    )


def _lacking_capabilities(needed: tuple[str, ...], have: Set[str], *, root: bool) -> list[Lack]:
    missing = [
        name for name in needed if name not in have and not (name in _UNDER_SYS_ADMIN and "CAP_SYS_ADMIN" in have)
    ]
    if not missing:
        return []
    word = "capability" if len(missing) == 1 else "capabilities"
    ordinary = f"run the agent as root, or with AmbientCapabilities={' '.join(missing)} in its systemd unit"
    return [Lack(f"{word} {', '.join(missing)} missing", root_without(missing) if root else ordinary)]


def _commands(tracer: Tracer) -> list[str]:
    """The declared commands, and the one that a command tracer runs where it is looked up on the PATH."""
    commands = list(tracer.needs.commands)
    if isinstance(tracer.runs, Command) and tracer.runs.argv:
        first = tracer.runs.argv[0]
        if first not in commands and "/" not in first and not first.startswith("{"):  # a path, or a parameter
            commands.append(first)
    return commands


def _lacking_command(name: str, tracer: Tracer) -> Lack:
    package = tracer.needs.packages.get(name)
    if package:
        return Lack(f"command {name} not found", f"apt install {package}")
    if "/" in name:  # declared so
        return Lack(f"command {name} not found or not executable", f"install it there and chmod 755 {name}")
    return Lack(f"command {name} not found", f"install {name} and put it on the agent's PATH")


def _lacking_file(file: str, exists: bool, tracer: Tracer) -> Lack:
    if exists:
        return Lack(f"{file} cannot be read", "run the agent as root, or give its user permission to read it")
    package = tracer.needs.packages.get(file)
    if package:
        return Lack(f"{file} not there", f"apt install {package}")
    for beginning, cure in _KERNEL_FILES.items():
        if file.startswith(beginning):
            return Lack(f"{file} not there", cure)
    return Lack(f"{file} not there", "provide the file, or stop the tracer with `off` in the configuration")
