"""Finds kernel headers that BCC can compile with: the running kernel's, else the newest that are installed.

Any will do, because nothing of the kernel is dereferenced through them: they give types and constants of the ABI.
Nothing is written: BCC is pointed at them by its environment variable and by include paths.
"""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

_ARCHITECTURES = {"x86_64": ("x86", "amd64"), "aarch64": ("arm64", "arm64")}
_MARK = "include/linux/kconfig.h"  # what BCC looks for
_CONFIGURED = "include/generated/autoconf.h"
OS_RELEASE = Path("/etc/os-release")


@dataclass(frozen=True, slots=True)
class Headers:
    """`source` holds what all flavours share (Debian's -common), `build` what was made for one; often the same."""

    version: str
    source: Path
    build: Path

    def flags(self, machine: str = platform.machine()) -> list[str]:
        """For the compiler, besides BCC_KERNEL_SOURCE=`source`."""
        if self.source == self.build:
            return []
        arch = f"{self.build}/arch/{_ARCHITECTURES[machine][0]}/include/generated"
        there = (arch, f"{arch}/uapi", f"{self.build}/include", f"{self.build}/include/generated/uapi")
        return [f"-I{folder}" for folder in there]

    def numbers(self, machine: str = platform.machine()) -> dict[int, str]:
        """The names of system calls by number."""
        arch = _ARCHITECTURES[machine][0]
        for tree in (self.build, self.source):
            for name in (
                f"arch/{arch}/include/generated/uapi/asm/unistd_64.h",
                f"arch/{arch}/include/generated/asm/unistd_64.h",
                "include/uapi/asm-generic/unistd.h",
            ):
                file = tree / name
                if file.is_file():
                    found = re.findall(r"^#define __NR\d?(?:64)?_(\w+)\s+(\d+)\s*$", file.read_text(), re.M)
                    if found:
                        return {int(number): call for call, number in found}
        return {}


def find(release: str = "", root: str = "/", machine: str = platform.machine()) -> Headers | None:
    """None when there are none. `root` is another host's, for tests."""
    if machine not in _ARCHITECTURES:
        return None
    release = release or os.uname().release
    top = Path(root)
    candidates = [top / "lib/modules" / release / "build", top / "usr/src" / f"linux-headers-{release}"]
    candidates += [top / "usr/src/kernels" / release]
    others = [
        *(top / "usr/src").glob("linux-headers-*"),
        *(top / "usr/src/kernels").glob("*"),
        *(top / "lib/modules").glob("*/build"),
    ]
    candidates += sorted(others, key=lambda path: _version(_label(path)), reverse=True)
    for build in candidates:
        found = _whole(build, top)
        if found:
            return found
    return None


def package(machine: str = platform.machine(), os_release: Path = OS_RELEASE) -> str:
    """The distribution's package of its newest ones. `tools/packages.sh` knows it too, before there is any Python."""
    if re.search(r"^ID(_LIKE)?=.*ubuntu", _text(os_release), re.M):
        return "linux-headers-generic"
    return f"linux-headers-{_ARCHITECTURES.get(machine, ('', machine))[1]}"


def cure(release: str = "", machine: str = platform.machine(), os_release: Path = OS_RELEASE) -> str:
    """The command that installs some."""
    release = release or os.uname().release
    newest = package(machine, os_release)
    return f"apt install linux-headers-{release}, or {newest} where there are none of this kernel"


def _whole(build: Path, top: Path) -> Headers | None:
    if not (build / _CONFIGURED).is_file():
        return None
    build = build.resolve()
    if (build / _MARK).is_file():
        return Headers(_label(build), build, build)
    # Debian's flavour names its -common in its Makefile; a `source` beside a `build` is the same by another name.
    named = re.search(r"/usr/src/linux-headers-\S*-common\S*", _text(build / "Makefile"))
    beside = [top / named[0].lstrip("/")] if named else []
    stem = re.sub(r"-[a-z][a-z0-9-]*$", "", build.name)
    beside += [build.parent / f"{stem}-common", build.parent / "source"]
    for source in beside:
        if (source / _MARK).is_file():
            return Headers(_label(build), source.resolve(), build)
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _label(path: Path) -> str:
    """The version that a folder's name says."""
    name = path.parent.name if path.name == "build" else path.name
    return name.removeprefix("linux-headers-")


def _version(label: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", label))
