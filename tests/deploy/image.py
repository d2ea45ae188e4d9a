"""The image that the Dockerfile makes, for want of Docker: its own lines, in roots of mmdebstrap's. Imported by name.

A step runs as it stands there, by the shell, changed into the root; nothing of the machine is in it but what names
hosts and whom its clients trust.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from dockerfile import Stage, copied, stages
from running import ROOT

SUITES = {"debian:12-slim": "bookworm"}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OF_THE_HOST = ("etc/resolv.conf", "etc/hosts", "etc/pip.conf", "usr/local/share/ca-certificates")
TRUSTED = "/etc/ssl/certs/ca-certificates.crt"


class Image:
    """Its root, and what its last stage says of how it starts."""

    def __init__(self, folder: Path) -> None:
        self.environment: dict[str, str] = {}
        roots: dict[str, Path] = {}
        for number, stage in enumerate(stages()):
            self.root = roots[stage.name] = _base(folder, stage, number)
            for word, rest in stage.steps:
                self._do(word, rest, roots)

    def _do(self, word: str, rest: str, roots: Mapping[str, Path]) -> None:
        match word:
            case "RUN":
                _run(self.root, rest)
            case "COPY" if rest.startswith("--from="):
                stage, source, target = rest.removeprefix("--from=").split()
                _run_here("cp", "-a", f"{roots[stage]}{source}", f"{self.root}{target}")
            case "COPY":
                here, target = rest.split()
                assert here == "."
                _copy(self.root / target.lstrip("/"))
            case "ENV":
                key, _, value = rest.partition("=")
                self.environment[key] = value


def _base(folder: Path, stage: Stage, number: int) -> Path:
    """What `FROM` names, made once and unpacked for each stage."""
    archive = folder / "base.tar"
    if not archive.exists():
        _run_here("mmdebstrap", "--variant=minbase", "--quiet", SUITES[stage.image], str(archive))
    root = folder / f"stage-{number}"
    root.mkdir()
    _run_here("tar", "-xf", str(archive), "-C", str(root))
    for name in OF_THE_HOST:
        found, target = Path("/", name), root / name
        if found.is_dir():
            shutil.copytree(found, target, dirs_exist_ok=True)
        elif found.exists():
            shutil.copy(found, target)
    return root


def _run(root: Path, step: str) -> None:
    """In the root, with the file systems that Docker gives to a step; they go with its namespace."""
    mounts = [
        f"mount -t proc none {root}/proc",
        f"mount -t sysfs -o ro none {root}/sys",
        f"mount --rbind /dev {root}/dev",
    ]
    given = [f"PATH={PATH}", "HOME=/root", "DEBIAN_FRONTEND=noninteractive", f"PIP_CERT={TRUSTED}"]
    command = shlex.join(["env", "-i", *given, "chroot", str(root), "sh", "-c", step])
    _run_here("unshare", "--mount", "--propagation=private", "sh", "-euc", "\n".join([*mounts, f"exec {command}"]))


def _run_here(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=560, env={"PATH": os.environ["PATH"]})
    assert done.returncode == 0, f"{command}: {(done.stdout + done.stderr)[-2000:]}"


def _copy(target: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    target.mkdir()
    for name in copied():
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=ignored)
        else:
            shutil.copy(source, target / name)
