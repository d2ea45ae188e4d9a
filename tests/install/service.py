"""The agent as the systemd unit confines it, for want of systemd as process 1. Imported by name.

Every word of the unit is here either as a step of a shell that makes its namespace, or among those that are not shown,
each with the reason; a word in neither is an error. /run is empty, so that no other agent's socket is there.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import filtered
from running import RunningAgent, public_python, wait_until
from systemd_unit import allowed_calls, service

NOT_SHOWN = {
    "EnvironmentFile": "flags are the test's",
    "ExecReload": "of systemd's own doing",
    "LockPersonality": "a filter of arguments",
    "ProtectClock": "takes devices and capabilities away that other words took already",
    "Restart": "of systemd's own doing",
    "RestartSec": "of systemd's own doing",
    "RestrictAddressFamilies": "a filter of arguments",
    "RestrictNamespaces": "a filter of arguments",
    "RestrictRealtime": "a filter of arguments",
    "RestrictSUIDSGID": "a filter of arguments",
    "SystemCallArchitectures": "there is one here",
    "SystemCallErrorNumber": "the filter's own: EPERM",
    "TasksMax": "takes a control group",
    "TimeoutStopSec": "of systemd's own doing",
    "Type": "of systemd's own doing",
}
# Those that ProtectKernelTunables= knows, where a kernel has them.
TUNABLES = [
    "/proc/acpi",
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/scsi",
    "/proc/sys",
    "/proc/sysrq-trigger",
    "/sys",
]
DEVICES = ["null", "zero", "full", "random", "urandom", "tty"]
EVERY_MOUNT = "awk '$5 !~ \"^/(proc|sys|dev)(/|$)\" { print $5 }' /proc/self/mountinfo"


def read_only(path: str) -> list[str]:
    """A mount of its own that nobody writes to, where it is there."""
    return [f"! test -e {path} || {{ mount --rbind {path} {path}; mount -o remount,bind,ro {path}; }}"]


def inaccessible(path: str) -> list[str]:
    return [
        f"! test -d {path} || mount -t tmpfs -o mode=0000,ro none {path}",
        f"! test -f {path} || mount --bind /run/nothing {path}",
    ]


def _strict(_: str) -> list[str]:
    return [f"for one in $({EVERY_MOUNT}); do mount -o remount,bind,ro $one || test ! -e $one; done"]


def _devices(_: str) -> list[str]:
    made = [f"touch /run/dev/{name}; mount --bind /dev/{name} /run/dev/{name}" for name in DEVICES]
    return ["mkdir /run/dev; mount -t tmpfs -o noexec,mode=0755 none /run/dev", *made, "mount --rbind /run/dev /dev"]


def _tunables(_: str) -> list[str]:
    steps = [step for path in TUNABLES for step in read_only(path)]
    for path in ("/sys/kernel/tracing", "/sys/kernel/debug", "/sys/fs/bpf"):
        steps.append(f"! mountpoint -q {path} || mount -o remount,bind,ro {path}")
    return [*steps, *inaccessible("/proc/kallsyms"), *inaccessible("/proc/kcore")]


# In the order in which they can be done: what is written to first, and all is closed at last.
SHOWN: dict[str, Callable[[str], list[str]]] = {
    "RuntimeDirectory": lambda name: [f"mkdir -m 755 /run/{name}; mount -t tmpfs -o mode=0755 none /run/{name}"],
    "PrivateDevices": _devices,
    "ProtectKernelLogs": lambda _: inaccessible("/proc/kmsg"),
    "ProtectKernelModules": lambda _: inaccessible("/usr/lib/modules"),
    "ProtectKernelTunables": _tunables,
    "ProtectControlGroups": lambda _: ["! mountpoint -q /sys/fs/cgroup || mount -o remount,bind,ro /sys/fs/cgroup"],
    "ProtectHome": lambda _: [*read_only("/home"), *read_only("/root")],
    "ProtectSystem": _strict,
    "LimitNOFILE": lambda most: [f"ulimit -n {most}"],
    "UMask": lambda mask: [f"umask {mask}"],
}
IN_THE_COMMAND = ("CapabilityBoundingSet", "ExecStart", "NoNewPrivileges", "ProtectHostname", "SystemCallFilter")
# The agent's folder is written to where the unit says.
WRITTEN = "mount -o remount,bind,rw /run/scalpels"


class Service(RunningAgent):
    """As `systemctl start` leaves it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log, self.seen = folder, folder / "agent.log", set[int]()
        self._log_file = self.log.open("wb")
        script = folder / "confined.sh"
        script.write_text("\n".join(_steps(service())))
        # ProtectHostname= is a namespace too.
        command = ["unshare", "--mount", "--uts", "--propagation=private", "sh", "-eu", script]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log_file, stderr=self._log_file, cwd="/"
        )
        self.pid = self.process.pid
        try:
            found = wait_until(lambda: re.search(r"127\.0\.0\.1:(\d+)", self._started()), 20, "the agent's port")
        except BaseException:
            self.close()
            raise
        self.url = f"http://127.0.0.1:{found[1]}"


def _steps(words: dict[str, str]) -> list[str]:
    unknown = words.keys() - SHOWN.keys() - NOT_SHOWN.keys() - set(IN_THE_COMMAND)
    assert not unknown, f"{unknown}: neither shown nor said to be not"
    steps = ["mount -t tmpfs -o mode=0755 none /run", "touch /run/nothing; chmod 000 /run/nothing"]
    for word, make in SHOWN.items():
        steps += make(words[word])
    return [*steps, WRITTEN, f"exec {shlex.join(_command(words))}", ""]


def _command(words: dict[str, str]) -> list[str]:
    python, environment = public_python()
    filter_of_calls = Path(environment["PYTHONPATH"]) / "filtered.py"
    filter_of_calls.write_text(Path(filtered.__file__).read_text())
    given = [f"{key}={value}" for key, value in {"PATH": os.environ["PATH"], **environment}.items()]
    only = ",".join(["-all", *(f"+{name.removeprefix('CAP_').lower()}" for name in capabilities(words))])
    assert words["NoNewPrivileges"] == "yes"
    return [
        *("env", "-i", *given, "setpriv", f"--bounding-set={only}", "--inh-caps=-all", "--no-new-privs"),
        *(python, str(filter_of_calls), "only", ",".join(allowed_calls())),
        *(python, "-m", "scalpels_exporter", "agent", "--web.listen-address=127.0.0.1:0"),
    ]


def capabilities(words: dict[str, str]) -> list[str]:
    return words["CapabilityBoundingSet"].split()
