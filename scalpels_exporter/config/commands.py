"""Whether the command of a script tracer can be run by the user that will run it. Looks at files, starts nothing."""

from __future__ import annotations

import os
import re
import shutil
import stat
from pathlib import Path

from scalpels_exporter.config.trust import Trust

_FIRST_LINE_BYTES = 256  # as the kernel reads
_INTERPRETER = re.compile(r"(?:a|ba|da|k|z)?sh|(?:python|perl|ruby|node|php|lua)[0-9.]*")
_WINDOWS = "ends its first line as Windows does, which makes the carriage return a part of the interpreter's name"


def command_problem(argv: tuple[str, ...], privileged: bool, trust: Trust) -> str:
    """Why it cannot be run, "" when it can. A word without a slash is looked up at start, see `needs`.

    An unprivileged command must be executable by anyone, and reachable through folders that anyone may enter; where
    this process is not root, workers run as its own user, and what counts is what that user may. A command that keeps
    its privileges must be out of reach of anyone but root instead. A script's interpreter must be there.
    """
    first = argv[0] if argv else ""
    if not first.strip():
        return "expected a command, got an empty word"
    if "/" in first:
        problem = _program_problem(first, privileged, trust)
        if problem:
            return problem
    # Behind an option such as -c or -m comes no file.
    if len(argv) > 1 and _INTERPRETER.fullmatch(Path(first).name) and not argv[1].startswith(("-", "{")):
        return _script_problem(argv[1], privileged, trust)
    return ""


def _program_problem(first: str, privileged: bool, trust: Trust) -> str:
    path = Path(first)
    if not path.is_absolute():
        return f"expected an absolute path or a name on the PATH, got {first}"
    problem = _missing(path)
    if problem:
        return problem
    if privileged:
        if not path.stat().st_mode & 0o111:
            return f"{first} is not executable: chmod 755 {first}"
        return _trust_problem(path, trust) or _first_line_problem(path)
    if not _allows(path, os.X_OK, stat.S_IXOTH):
        return f"{first} cannot be executed by the unprivileged user that runs it: chmod 755 {first}"
    return _reach_problem(path) or _unread_problem(path) or _first_line_problem(path)


def _script_problem(word: str, privileged: bool, trust: Trust) -> str:
    """The same for a file that an interpreter is given: it has to be read, not executed."""
    path = Path(word)
    if not path.is_absolute():
        return f"expected an absolute path of the script, got {word}"
    problem = _missing(path)
    if problem or privileged:
        return problem or _trust_problem(path, trust)
    return _reach_problem(path) or _unread_problem(path, script=True)


def _missing(path: Path) -> str:
    try:
        mode = path.stat().st_mode
    except OSError as exc:
        return f"{path}: {os.strerror(exc.errno or 0)}"
    return "" if stat.S_ISREG(mode) else f"{path} is no file"


def _trust_problem(path: Path, trust: Trust) -> str:
    found = trust.problem(path)
    return f"refused, because what runs with privileges must be root's alone: {found}" if found else ""


def _reach_problem(path: Path) -> str:
    for folder in path.resolve().parents:
        if not _allows(folder, os.X_OK, stat.S_IXOTH):
            return (
                f"{path} is out of reach of the unprivileged user that runs it, because of {folder}: "
                "move it to where anyone may enter, such as /usr/local/bin, or say privileged: on"
            )
    return ""


def _unread_problem(path: Path, *, script: bool = False) -> str:
    """A script is read by its interpreter, after it was executed."""
    if _allows(path, os.R_OK, stat.S_IROTH) or not (script or _begin(path).startswith(b"#!")):
        return ""
    return f"{path} cannot be read by the unprivileged user that runs it: chmod a+r {path}"


def _allows(path: Path, access: int, others: int) -> bool:
    """Whether the user that unprivileged workers run as has the access; for a root that becomes another: anyone."""
    if os.geteuid():
        return os.access(path, access, effective_ids=True)
    return bool(path.stat().st_mode & others)


def _begin(path: Path) -> bytes:
    """Nothing where this process may not read it; whoever runs it may."""
    try:
        with path.open("rb") as file:
            return file.read(_FIRST_LINE_BYTES)
    except OSError:
        return b""


def _first_line_problem(path: Path) -> str:
    """Why the kernel cannot run the file. Of a script it would say `No such file or directory`, which misleads."""
    begin = _begin(path)
    if not begin.startswith(b"#!"):
        # Text without it is what a shell would still run, and the kernel does not.
        text = begin and b"\0" not in begin and not begin.startswith(b"\x7f")
        return f"{path} has no first line that names its interpreter, such as #!/bin/sh" if text else ""
    line = begin.split(b"\n", 1)[0][2:].decode(errors="replace")
    if line.endswith("\r"):
        return f"{path} {_WINDOWS}: sed -i 's/\\r$//' {path}"
    return _interpreter_problem(path, line.split())


def _interpreter_problem(path: Path, words: list[str]) -> str:
    if not words or not Path(words[0]).exists():
        return f"{path} names an interpreter that is not there: {' '.join(words) or 'none'}"
    if Path(words[0]).name == "env" and len(words) > 1 and words[1].isidentifier() and not shutil.which(words[1]):
        return f"{path} names an interpreter that is not on the PATH: {words[1]}"
    return ""
