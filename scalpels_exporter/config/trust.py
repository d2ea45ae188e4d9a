"""Whether nobody but root can change a file or folder: whoever can write a tracer decides what runs with privileges.

Only looks; `catalog` and `scripts` refuse. An ordinary user who runs the agent is not trusted either: the
capabilities that were given to that user are narrower than what a tracer's code could do with them.
"""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

_MOST_LINKS = 40  # as the kernel follows
_MOST_ENTRIES = 1000


def _read_only_mount(path: Path) -> bool:
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class Trust:
    """Who is trusted and how a path is looked at; tests give their own owner and a stat of their own."""

    owner: int = 0
    stat: Callable[[Path], os.stat_result] = os.lstat
    read_only: Callable[[Path], bool] = _read_only_mount

    def problem(self, path: Path, *, absent: bool = False) -> str:
        """Why others than the owner can change what stands at the absolute `path`; "" when they cannot.

        Looked at: the file, every directory above it and every symbolic link on the way. A sticky directory
        such as /tmp counts as writable. On a read-only mount (a Kubernetes ConfigMap) the permission bits do
        not count, only the owner does. With `absent` the path need not be there: whoever could make it is looked at.
        """
        try:
            for passed in _passed(path, self.stat):
                found = self._one(passed)
                if found:
                    return found
        except FileNotFoundError as exc:
            return "" if absent else f"{exc.filename or path}: {exc.strerror}"
        except OSError as exc:
            return f"{exc.filename or path}: {exc.strerror}"
        return ""

    def folder_problem(self, folder: Path) -> str:
        """The same for a folder and everything in it."""
        found = self.problem(folder)
        if found:
            return found
        try:
            entries = sorted(islice(folder.rglob("*"), _MOST_ENTRIES + 1))
        except OSError as exc:
            return f"{exc.filename or folder}: {exc.strerror}"
        if len(entries) > _MOST_ENTRIES:
            return f"{folder} holds more than {_MOST_ENTRIES} entries"
        return next((found for entry in entries if (found := self.problem(entry))), "")

    def _one(self, path: Path) -> str:
        status = self.stat(path)
        if status.st_uid != self.owner:
            return f"{path} belongs to uid {status.st_uid}, expected {_owner_name(self.owner)}"
        if modes.S_ISLNK(status.st_mode):  # its own permissions mean nothing
            return ""
        writable = status.st_mode & (modes.S_IWGRP | modes.S_IWOTH)
        if writable and not self.read_only(path):
            who = "anyone" if writable & modes.S_IWOTH else "its group"
            return f"{path} can be written by {who} (mode {modes.S_IMODE(status.st_mode):04o})"
        return ""


def _owner_name(uid: int) -> str:
    return "root" if uid == 0 else f"uid {uid}"


def _passed(path: Path, stat: Callable[[Path], os.stat_result]) -> Iterator[Path]:
    """Every directory, link and file that a look-up of the absolute `path` passes, "/" first."""
    at = Path("/")
    yield at
    rest = list(reversed(path.parts[1:]))
    links = 0
    while rest:
        word = rest.pop()
        if word == "..":
            at = at.parent
            continue
        step = at / word
        yield step
        if modes.S_ISLNK(stat(step).st_mode):
            links += 1
            if links > _MOST_LINKS:
                raise OSError(0, "too many symbolic links", str(path))
            target = step.readlink()
            if target.is_absolute():
                at = Path("/")
            rest.extend(reversed([part for part in target.parts if part != "/"]))
        else:
            at = step
