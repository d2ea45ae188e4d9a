"""Whether the files that a command names can be run by the user that will run it: its program, and the script that an
interpreter is given. Looks, starts nothing.

What may be otherwise in a moment, because a filesystem is mounted or a package installed, is a lack of this host
(`needs`); what is wrong in the file itself is a mistake of whoever configured it (`config.commands`).
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

Hindrance = tuple[str, str]  # what hinders, and what mends it

_FIRST_LINE_BYTES = 256  # as the kernel reads
_INTERPRETER = re.compile(r"(?:a|ba|da|k|z)?sh|(?:python|perl|ruby|node|php|lua)[0-9.]*")
_WINDOWS = "ends its first line as Windows does, which makes the carriage return a part of the interpreter's name"


def program_of(argv: tuple[str, ...]) -> str:
    """The command's first word where it is a path, "" where it is looked up on the PATH."""
    return argv[0] if argv and "/" in argv[0] else ""


def script_of(argv: tuple[str, ...]) -> str:
    """The file that an interpreter is given, "" when there is none. Behind an option such as -c or -m comes none."""
    given = len(argv) > 1 and _INTERPRETER.fullmatch(Path(argv[0]).name) and not argv[1].startswith(("-", "{"))
    return argv[1] if given else ""


def hindrance(path: Path, privileged: bool, *, script: bool = False) -> Hindrance | None:
    """Why an absolute path cannot be run, or read as a `script` by its interpreter; None when it can.

    For an unprivileged worker anyone must be able to; where this process is not root, workers run as its own user,
    and what counts is what that user may.
    """
    found = None if privileged else _out_of_reach(path)
    if found:
        return found
    try:
        mode = path.stat().st_mode
    except OSError as exc:
        cure = f"put it there, chmod a+r {path}" if script else f"install it there and chmod 755 {path}"
        return f"{path}: {os.strerror(exc.errno or 0)}", cure
    if not stat.S_ISREG(mode):
        return f"{path} is no file", "name the file"
    if not script and privileged and not mode & 0o111:
        return f"{path} is not executable", f"chmod 755 {path}"
    if not script and not privileged and not _allows(path, os.X_OK, stat.S_IXOTH):
        return f"{path} cannot be executed by the unprivileged user that runs it", f"chmod 755 {path}"
    begin = _begin(path)
    # A program is executed unread; a script is read by its interpreter after it was executed.
    if not privileged and (script or begin.startswith(b"#!")) and not _allows(path, os.R_OK, stat.S_IROTH):
        return f"{path} cannot be read by the unprivileged user that runs it", f"chmod a+r {path}"
    return None if script else first_line(path) or _lacking_interpreter(path, begin)


def first_line(path: Path) -> Hindrance | None:
    """Why the kernel cannot run the file. Of a script it would say `No such file or directory`, which misleads."""
    begin = _begin(path)
    if not begin.startswith(b"#!"):
        # Text without it is what a shell would still run, and the kernel does not.
        if begin and b"\0" not in begin and not begin.startswith(b"\x7f"):
            return f"{path} has no first line that names its interpreter", "begin it with one, such as #!/bin/sh"
    elif begin.split(b"\n", 1)[0].endswith(b"\r"):
        return f"{path} {_WINDOWS}", f"sed -i 's/\\r$//' {path}"
    return None


def _lacking_interpreter(path: Path, begin: bytes) -> Hindrance | None:
    if not begin.startswith(b"#!"):
        return None
    words = begin.split(b"\n", 1)[0][2:].decode(errors="replace").split()
    if not words:
        return f"{path} names an interpreter that is not there: none", "name one in its first line, such as #!/bin/sh"
    if not _is(Path(words[0]), stat.S_ISREG):
        what = f"{path} names an interpreter that is not there: {' '.join(words)}"
        return what, f"install {words[0]}, or name another one"
    if Path(words[0]).name == "env" and len(words) > 1 and words[1].isidentifier() and not shutil.which(words[1]):
        what = f"{path} names an interpreter that is not on the PATH: {words[1]}"
        return what, f"install {words[1]}, or name another one"
    return None


def _out_of_reach(path: Path) -> Hindrance | None:
    """The outermost folder that may not be entered: of the ones below it nothing can be known."""
    above = [*reversed(path.parents), *reversed(Path(os.path.realpath(path)).parents)]
    for folder in dict.fromkeys(above):
        if is_folder(folder) and not _allows(folder, os.X_OK, stat.S_IXOTH):
            return (
                f"{path} is out of reach of the unprivileged user that runs it, because of {folder}",
                "move it to where anyone may enter, such as /usr/local/bin, or say privileged: on",
            )
    return None


def is_folder(path: Path) -> bool:
    return _is(path, stat.S_ISDIR)


def _is(path: Path, kind: Callable[[int], bool]) -> bool:
    """False also where this process may not look."""
    try:
        return kind(path.stat().st_mode)
    except OSError:
        return False


def _allows(path: Path, access: int, others: int) -> bool:
    """Whether the user that unprivileged workers run as has the access; for a root that becomes another: anyone."""
    if os.geteuid():
        return os.access(path, access, effective_ids=True)
    return bool(path.stat().st_mode & others)


def _begin(path: Path) -> bytes:
    """Nothing where there is no file, or this process may not read it; whoever runs it may."""
    if not _is(path, stat.S_ISREG):  # a FIFO would wait for a writer
        return b""
    try:
        with path.open("rb") as file:
            return file.read(_FIRST_LINE_BYTES)
    except OSError:
        return b""
