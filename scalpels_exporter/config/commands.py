"""Whether the command of a script tracer can be run by the user that will run it. Looks at files, starts nothing."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from scalpels_exporter.config.trust import Trust


def command_problem(argv: tuple[str, ...], privileged: bool, trust: Trust) -> str:
    """Why it cannot be run, "" when it can. A word without a slash is looked up at start, see `needs`.

    An unprivileged command must be executable by anyone, and reachable through folders that anyone may enter. One
    that keeps its privileges must be out of reach of anyone but root instead.
    """
    first = argv[0] if argv else ""
    if not first.strip():
        return "expected a command, got an empty word"
    if "/" not in first:
        return ""
    path = Path(first)
    if not path.is_absolute():
        return f"expected an absolute path or a name on the PATH, got {first}"
    try:
        mode = path.stat().st_mode
    except OSError as exc:
        return f"{first}: {os.strerror(exc.errno or 0)}"
    if not stat.S_ISREG(mode):
        return f"{first} is no file"
    if privileged:
        if not mode & 0o111:
            return f"{first} is not executable: chmod 755 {first}"
        found = trust.problem(path)
        return f"refused, because what runs with privileges must be root's alone: {found}" if found else ""
    if not mode & stat.S_IXOTH:
        return f"{first} cannot be executed by the unprivileged user that runs it: chmod 755 {first}"
    for folder in path.resolve().parents:
        if not folder.stat().st_mode & stat.S_IXOTH:
            return f"{first} is out of reach of the unprivileged user that runs it: chmod o+x {folder}"
    return ""
