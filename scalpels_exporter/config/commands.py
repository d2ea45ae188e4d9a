"""Mistakes in the command of a script tracer. Looks at files, starts nothing.

A file that is not there, or not within the worker's reach, is no mistake: it may come with a mount or a package, and
every other tracer runs meanwhile. `needs` tells of it.
"""

from __future__ import annotations

from pathlib import Path

from scalpels_exporter.config.trust import Trust
from scalpels_exporter.runnable import first_line, is_folder, program_of, script_of


def command_problem(argv: tuple[str, ...], privileged: bool, trust: Trust) -> str:
    """What is wrong with it wherever it runs, "" for nothing.

    A command that keeps its privileges must be out of reach of anyone but root, also while it is not there yet.
    """
    if not argv or not argv[0].strip():
        return "expected a command, got an empty word"
    if any("\0" in word for word in argv):
        return "expected words without NUL"
    program, script = program_of(argv), script_of(argv)
    if program and not Path(program).is_absolute():
        return f"expected an absolute path or a name on the PATH, got {program}"
    if script and not Path(script).is_absolute():
        return f"expected an absolute path of the script, got {script}"
    for path in (Path(word) for word in (program, script) if word):
        if is_folder(path):
            return f"{path} is no file"
        found = trust.problem(path, absent=True) if privileged else ""
        if found:
            return f"refused, because what runs with privileges must be root's alone: {found}"
    wrong = first_line(Path(program)) if program else None
    return ": ".join(wrong) if wrong else ""
