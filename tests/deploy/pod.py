"""The pod that the chart renders, run on this machine with the same restrictions, for want of a kubelet.

Its capabilities, arguments, mounts and probes are read from the manifests. The image is this machine's /usr, or the one
that the Dockerfile makes; either is read-only. /proc is the machine's (hostPID), /sys is made anew, read-only, as
container runtimes do; system calls that their default filter forbids to such a container fail. Imported by name.
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
from contents import Contents, OfTheImage, OfTheMachine
from image import Image
from rendering import Manifests, of_kind
from running import RunningAgent, wait_until

DEVICES = ("null", "zero", "full", "random", "urandom")


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
        image: Image | None = None,
    ) -> None:
        [pods] = of_kind(manifests, "DaemonSet")
        self.spec: dict[str, Any] = pods["spec"]["template"]["spec"]
        [self.container] = self.spec["containers"]
        self.folder, self._secrets, self._only = folder, secrets, only
        self.contents: Contents = OfTheMachine() if image is None else OfTheImage(image)
        self.python = self.contents.python
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
        filter_of_calls = [self.python, self.contents.program(filtered.__file__)]
        if self._only:
            prefix += [*filter_of_calls, "only", ",".join(self._only)]
        if self.spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault":
            prefix += [*filter_of_calls, "default", ",".join(self.capabilities)]
        return prefix

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """`kubectl exec`."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--root", "--wd=/", *self.restricted()]
        given = self.contents.environment
        return subprocess.run([*enter, *command], capture_output=True, text=True, timeout=20, env=given)

    def probe(self, name: str) -> subprocess.CompletedProcess[str]:
        """What the kubelet does for readinessProbe and its like, where that is a command."""
        return self.inside(*self.container[name]["exec"]["command"])

    def _steps(self) -> list[str]:
        """Of the shell that makes the container's file system and becomes the agent."""
        root = self.folder / "root"
        lines = [
            f"mkdir {root}",
            *self.contents.mounted(root),
            f"cd {root}",
            "mount -t proc -o nosuid,nodev,noexec none proc",
            "mount -t sysfs -o ro,nosuid,nodev,noexec none sys",
            "mount -t tmpfs -o mode=0755 none dev",
            *(f"touch dev/{name}; mount --bind /dev/{name} dev/{name}" for name in DEVICES),
        ]
        volumes = {one["name"]: one for one in self.spec["volumes"]}
        for mount in self.container["volumeMounts"]:
            lines += self._mounted(mount["mountPath"].lstrip("/"), volumes[mount["name"]], mount.get("readOnly", False))
        if self.container["securityContext"]["readOnlyRootFilesystem"]:
            lines += ["mount -o remount,ro,bind .", *self.contents.closed()]
        given = [f"{key}={value}" for key, value in self.contents.environment.items()]
        agent = [*self.contents.start, *self.container["args"]]
        words = ["chroot", ".", "env", "-i", *given, *self.restricted(), *agent]
        return [*lines, f"exec {shlex.join(words)}", ""]

    def _mounted(self, at: str, volume: Mapping[str, Any], read_only: bool) -> list[str]:
        lines = [] if at.startswith("sys/") else self.contents.place(at)
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
