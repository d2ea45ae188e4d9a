"""Whether Python's bcc is there and new enough. It is not imported for that, which would bring LLVM into memory."""

from __future__ import annotations

import re
from importlib import metadata
from importlib.util import find_spec

OLDEST = (0, 26)  # Debian 12's. That of Ubuntu 22.04 (0.18) knows no task storage, and its LLVM dies of `wire`


def find() -> str | None:
    """Its version, "" where it is there and does not say; None where it is not there."""
    if find_spec("bcc") is None:
        return None
    try:
        return metadata.version("bcc")
    except metadata.PackageNotFoundError:
        return ""  # built by hand: it will be seen


def problem(version: str | None) -> tuple[str, str] | None:
    """What is wrong with what `find` has found, and what mends it."""
    if version is None:
        return "Python's bcc is not installed", "apt install python3-bpfcc"
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None or (int(numbers[1]), int(numbers[2])) >= OLDEST:
        return None
    least = ".".join(map(str, OLDEST))
    return (
        f"Python's bcc {version} is older than {least}",
        "run the container image, or take the bcc of Debian 12, Ubuntu 24.04 or newer",
    )
