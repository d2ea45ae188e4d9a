"""The pod that the chart renders, run on this machine with the same restrictions, for want of a kubelet.

Its capabilities, arguments, mounts and probes are read from the manifests. The image is this machine's /usr,
read-only; /proc is the machine's (hostPID), /sys is made anew, read-only, as container runtimes do; system calls that
their default filter forbids to such a container fail. Imported by name.
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import filtered
from rendering import Manifests, of_kind
from running import RunningAgent, public_python, wait_until

DEVICES = ("null", "zero", "full", "random", "urandom")
USERS = "root:x:0:0::/:/bin/sh\nscalpels:x:61910:61910::/:/bin/sh\nscalpels-worker:x:61911:61911::/:/bin/sh\n"
GROUPS = "root:x:0:\nscalpels:x:61910:\nscalpels-worker:x:61911:\n"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


class Pod(RunningAgent):
    """The agent of the rendered DaemonSet, as one node runs it.

    `secrets` are the files of each Secret by its name; with `only` these system calls are allowed and no others.
    """

    def __init__(
        self,
        folder: Path,
        manifests: Manifests,
        secrets: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
        only: Sequence[str] = (),
    ) -> None:
        [pods] = of_kind(manifests, "DaemonSet")
        self.spec: dict[str, Any] = pods["spec"]["template"]["spec"]
        [self.container] = self.spec["containers"]
        self.folder, self._secrets, self._only = folder, secrets, only
        self.python = public_python()[0]
        self._config_maps = {one["metadata"]["name"]: one["data"] for one in of_kind(manifests, "ConfigMap")}
        self.port = self.container["ports"][0]["containerPort"]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "log"
        self.seen = set[int]()
        self._log_file = self.log.open("wb")
        script = folder / "enter.sh"
        script.write_text("\n".join(self._steps()))
        # hostPID and hostNetwork: of all namespaces the mounts alone are its own.
        command = ["unshare", "--mount", "--propagation=private", "sh", "-eu", script]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._log_file,
            stderr=self._log_file,
            env={"PATH": os.environ["PATH"]},
        )
        self.pid = self.process.pid
        try:
            wait_until(self._started, 20, "the agent has started")
        except BaseException:
            self.close()
            raise

    @property
    def capabilities(self) -> list[str]:
        given = self.container["securityContext"]["capabilities"]
        assert given["drop"] == ["ALL"]
        return list(given["add"])

    def restricted(self) -> list[str]:
        """The prefix of a command that runs in the container, as `user` and with what the manifest gives."""
        context = self.container["securityContext"]
        assert not context["privileged"]
        prefix = ["setpriv", f"--reuid={context['runAsUser']}", f"--regid={context['runAsGroup']}", "--clear-groups"]
        only = ",".join(["-all", *(f"+{name.lower()}" for name in self.capabilities)])
        prefix += [f"--bounding-set={only}", "--inh-caps=-all"]
        prefix += [] if context["allowPrivilegeEscalation"] else ["--no-new-privs"]
        python, environment = public_python()
        program = Path(environment["PYTHONPATH"]) / "filtered.py"
        program.write_text(Path(filtered.__file__).read_text())
        if self._only:
            prefix += [python, str(program), "only", ",".join(self._only)]
        if self.spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault":
            prefix += [python, str(program), "default", ",".join(self.capabilities)]
        return prefix

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """`kubectl exec`."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--root", "--wd=/", *self.restricted()]
        given = {**public_python()[1], "PATH": os.environ["PATH"]}
        return subprocess.run([*enter, *command], capture_output=True, text=True, timeout=20, env=given)

    def probe(self, name: str) -> subprocess.CompletedProcess[str]:
        """What the kubelet does for readinessProbe and its like, where that is a command."""
        return self.inside(*self.container[name]["exec"]["command"])

    def _steps(self) -> list[str]:
        """Of the shell that makes the container's file system and becomes the agent."""
        root = self.folder / "root"
        code = public_python()[1]["PYTHONPATH"]
        folders = ["usr", "etc", "proc", "sys", "dev", "run", code.lstrip("/")]
        lines = [
            f"mkdir {root}",
            f"mount -t tmpfs -o mode=0755 none {root}",
            f"cd {root}",
            f"mkdir -p {' '.join(folders)}",
            "for name in bin sbin lib lib64; do cp -a /$name . ; done",  # links into /usr
            "mount --rbind /usr usr",
            f"mount --bind {code} {code.lstrip('/')}",
            "cp /etc/ld.so.cache etc/",
            f"printf %s {shlex.quote(USERS)} > etc/passwd; printf %s {shlex.quote(GROUPS)} > etc/group",
            "mount -t proc -o nosuid,nodev,noexec none proc",
            "mount -t sysfs -o ro,nosuid,nodev,noexec none sys",
            *(f"touch dev/{name}; mount --bind /dev/{name} dev/{name}" for name in DEVICES),
        ]
        volumes = {one["name"]: one for one in self.spec["volumes"]}
        for mount in self.container["volumeMounts"]:
            lines += self._mounted(mount["mountPath"].lstrip("/"), volumes[mount["name"]], mount.get("readOnly", False))
        if self.container["securityContext"]["readOnlyRootFilesystem"]:
            lines += [
                "mount -o remount,ro .",
                "mount -o remount,ro,bind usr",
                f"mount -o remount,ro,bind {code.lstrip('/')}",
            ]
        python, environment = public_python()
        given = [f"{key}={value}" for key, value in environment.items()]
        agent = [python, "-m", "scalpels_exporter", *self.container["args"]]
        words = ["chroot", ".", "env", "-i", f"PATH={os.environ['PATH']}", *given, *self.restricted(), *agent]
        return [*lines, f"exec {shlex.join(words)}", ""]

    def _mounted(self, at: str, volume: Mapping[str, Any], read_only: bool) -> list[str]:
        lines = [] if at.startswith("sys/") else [f"mkdir -p {at}"]
        match volume:
            case {"hostPath": {"path": path}}:
                lines.append(f"mount --bind {path} {at}")
            case {"emptyDir": _}:
                lines.append(f"mount -t tmpfs -o mode=0777 none {at}")  # as the kubelet makes them
            case {"configMap": {"name": name, **more}}:
                lines += self._files(at, self._config_maps[name], more.get("defaultMode", 0o644))
            case {"secret": {"secretName": name, "defaultMode": mode}}:
                lines += self._files(at, self._secrets[name], mode)
        return [*lines, f"mount -o remount,ro,bind {at}"] if read_only else lines

    def _files(self, at: str, files: Mapping[str, str], mode: int) -> list[str]:
        made = (
            f"printf %s {shlex.quote(text)} > {at}/{name}; chmod {mode:o} {at}/{name}" for name, text in files.items()
        )
        return [f"mount -t tmpfs -o mode=0755 none {at}", *made]
