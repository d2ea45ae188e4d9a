"""What is in a pod's container: this machine's /usr with this checkout's code, or an image. Imported by name.

Each gives the steps of a shell that mount it, read-only where the pod says so, and the command that the image starts.
"""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path
from typing import Protocol

from image import PATH, Image
from running import public_python

USERS = "root:x:0:0::/:/bin/sh\nscalpels:x:61910:61910::/:/bin/sh\nscalpels-worker:x:61911:61911::/:/bin/sh\n"
GROUPS = "root:x:0:\nscalpels:x:61910:\nscalpels-worker:x:61911:\n"


class Contents(Protocol):
    python: str  # which has the package
    start: list[str]  # the entry point
    environment: dict[str, str]

    def mounted(self, root: Path) -> list[str]:
        """Steps that make `root`, an empty folder, its root."""

    def place(self, at: str) -> list[str]:
        """Steps after which something can be mounted at this path."""

    def closed(self) -> list[str]:
        """Steps after which nothing in it can be written, besides the root itself, in which they run."""

    def program(self, file: str) -> str:
        """Its path of a program of ours."""


class OfTheMachine:
    def __init__(self) -> None:
        self.python, given = public_python()
        self._code = given["PYTHONPATH"]
        self.start = [self.python, "-m", "scalpels_exporter"]
        self.environment = {"PATH": os.environ["PATH"], **given}

    def mounted(self, root: Path) -> list[str]:
        code = self._code.lstrip("/")
        return [
            f"mount -t tmpfs -o mode=0755 none {root}",
            f"cd {root}",
            f"mkdir -p usr etc proc sys dev run {code}",
            "for name in bin sbin lib lib64; do cp -a /$name . ; done",  # links into /usr
            "mount --rbind /usr usr",
            f"mount --bind {self._code} {code}",
            "cp /etc/ld.so.cache etc/",
            f"printf %s {shlex.quote(USERS)} > etc/passwd; printf %s {shlex.quote(GROUPS)} > etc/group",
        ]

    def place(self, at: str) -> list[str]:
        return [f"mkdir -p {at}"]

    def closed(self) -> list[str]:
        return ["mount -o remount,ro,bind usr", f"mount -o remount,ro,bind {self._code.lstrip('/')}"]

    def program(self, file: str) -> str:
        return shutil.copy(file, self._code)


class OfTheImage:
    """Its ENTRYPOINT is `scalpels`; tests/install holds the Dockerfile to that."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self.python = "/opt/scalpels-exporter/bin/python"
        self.start = ["scalpels"]
        self.environment = {"PATH": PATH, **image.environment}

    def mounted(self, root: Path) -> list[str]:
        return [f"mount --bind {self._image.root} {root}"]

    def place(self, at: str) -> list[str]:
        return [f"test -d {at}"]  # the Dockerfile has made it

    def closed(self) -> list[str]:
        return []

    def program(self, file: str) -> str:
        return "/" + str(Path(shutil.copy(file, self._image.root)).relative_to(self._image.root))
