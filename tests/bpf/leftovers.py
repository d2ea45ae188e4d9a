"""What an agent may leave behind: objects in the kernel, and files where temporary ones go.

The agent gets places of its own for the latter (`PRIVATE`), so what is found in them is its doing, whoever else works
on this machine.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

PLACES = ("/tmp", "/var/tmp", "/run", "/dev/shm")
# PRIVATE folder … -- command: the command with empty places, but for these folders.
PRIVATE = ["unshare", "--mount", "sh", "-ec"]
PRIVATE += [
    """
    mount -t tmpfs none /mnt
    count=0
    for folder; do
        [ "$folder" != -- ] || break
        count=$((count + 1))
        mkdir "/mnt/$count"
        mount --rbind "$folder" "/mnt/$count"
    done
    for place in /tmp /var/tmp /dev/shm; do mount -t tmpfs -o mode=1777 none "$place"; done
    mount -t tmpfs -o mode=755 none /run
    now=0
    while [ "$now" -lt "$count" ]; do
        now=$((now + 1))
        mkdir -p "$1"
        mount --move "/mnt/$now" "$1"
        shift
    done
    shift
    rm -rf /run/mount  # which mount(8) has made
    exec "$@"
    """,
    "sh",
]


class Places:
    """The places of an agent that was started by PRIVATE with `kept`; they can be looked at when it is gone."""

    def __init__(self, pid: int, kept: Iterable[Path]) -> None:
        self._open = {place: os.open(f"/proc/{pid}/root{place}", os.O_RDONLY) for place in PLACES}
        self._kept = {f"{place}/{path.relative_to(place).parts[0]}" for path in kept for place in under(path)}

    def files(self) -> set[str]:
        found = set()
        for place, folder in self._open.items():
            found |= {f"{place}/{name}" for name in os.listdir(folder)}  # noqa: PTH208 - a descriptor is no path
        return found - self._kept

    def close(self) -> None:
        for folder in self._open.values():
            os.close(folder)


def under(path: Path) -> list[str]:
    return [place for place in PLACES if path.is_relative_to(place)]


def kernel_objects() -> dict[str, str]:
    """`prog 23` → its name, for every program, link and map that there is."""
    found = {}
    for kind in ("prog", "link", "map"):
        shown = subprocess.run(["bpftool", "-j", kind, "show"], capture_output=True, check=True, timeout=20).stdout
        found |= {f"{kind} {one['id']}": one.get("name", "") for one in json.loads(shown or b"[]")}
    return found


def held_by(pids: Iterable[int]) -> set[str]:
    """The kernel objects that these processes have open, as above."""
    found = set()
    for pid in pids:
        try:
            for file in Path(f"/proc/{pid}/fdinfo").iterdir():
                found |= {
                    f"{kind} {n}" for kind, n in re.findall(r"^(prog|link|map)_id:\s*(\d+)", file.read_text(), re.M)
                }
        except OSError:
            continue  # it, or one of its files, is gone in this moment
    return found


def left_of(mark: str, held: set[str]) -> list[str]:
    """What of `held` is still there, and everything whose name has `mark` in it."""
    return sorted(one for one, name in kernel_objects().items() if one in held or mark in name)
