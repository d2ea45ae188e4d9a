"""Files of a command: what hinders the user that will run them, and what mends it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scalpels_exporter.declare import Command, Gauge, Parameter, Tracer
from scalpels_exporter.needs import Lack, lacking_commands
from scalpels_exporter.runnable import Hindrance, hindrance, script_of


def script(folder: Path, content: bytes, mode: int = 0o755) -> Path:
    path = folder / "stat.sh"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("content", "what", "cure"),
    [
        (b"#!/bin/sh\necho 1\n", "", ""),
        (b"#!/usr/bin/env sh\necho 1\n", "", ""),
        (b"#! /bin/sh -e\necho 1\n", "", ""),
        (b"\x7fELF\x02\x01", "", ""),
        (
            b"#!/nowhere/python9\n",
            "stat.sh names an interpreter that is not there: /nowhere/python9",
            "install /nowhere/python9, or name another one",
        ),
        (
            b"#!/usr/bin/env nosuchpython\n",
            "stat.sh names an interpreter that is not on the PATH: nosuchpython",
            "install nosuchpython, or name another one",
        ),
        (
            b"#!\necho 1\n",
            "stat.sh names an interpreter that is not there: none",
            "name one in its first line, such as #!/bin/sh",
        ),
        (b"echo 1\n", "stat.sh has no first line that names its interpreter", "begin it with one, such as #!/bin/sh"),
        (
            b"#!/bin/sh\r\n",
            "stat.sh ends its first line as Windows does, which makes the carriage return a part of the interpreter's "
            "name",
            r"sed -i 's/\r$//' stat.sh",
        ),
    ],
)
def test_a_first_line_that_the_kernel_cannot_follow_is_explained(
    content: bytes, what: str, cure: str, open_folder: Path
) -> None:
    found = hindrance(script(open_folder, content), False)
    said = tuple(text.replace(f"{open_folder}/", "") for text in found or ("", ""))
    assert said == (what, cure)


@pytest.mark.parametrize(
    ("content", "mode", "privileged", "as_script", "what"),
    [
        (b"#!/bin/sh\n", 0o711, False, False, "cannot be read by the unprivileged user that runs it"),
        (b"#!/bin/sh\n", 0o711, True, False, ""),
        (b"\x7fELF\x02\x01", 0o711, False, False, ""),
        (b"\x7fELF\x02\x01", 0o744, False, False, "cannot be executed by the unprivileged user that runs it"),
        (b"\x7fELF\x02\x01", 0o744, True, False, ""),
        (b"#!/bin/sh\n", 0o644, True, False, "is not executable"),
        (b"echo 1\n", 0o600, False, True, "cannot be read by the unprivileged user that runs it"),
        (b"echo 1\n", 0o600, True, True, ""),
        (b"echo 1\n", 0o644, False, True, ""),
    ],
)
def test_the_worker_must_be_able_to_run_or_read_it(
    content: bytes, mode: int, privileged: bool, as_script: bool, what: str, open_folder: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("another user's view is told from root's")
    path = script(open_folder, content, mode)
    right = f"chmod {'a+r' if 'read' in what else '755'} {path}"
    assert hindrance(path, privileged, script=as_script) == ((f"{path} {what}", right) if what else None)


def test_the_outermost_folder_that_bars_the_way_is_named(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("another user's view is told from root's")
    closed = open_folder / "closed"
    (closed / "inner").mkdir(parents=True, mode=0o755)
    path = script(closed / "inner", b"#!/bin/sh\n")
    closed.chmod(0o700)
    link = open_folder / "link"
    link.symlink_to(path)
    cure = "move it to where anyone may enter, such as /usr/local/bin, or say privileged: on"
    for given in (path, link):
        what = f"{given} is out of reach of the unprivileged user that runs it, because of {closed}"
        expected: Hindrance = (what, cure)
        assert hindrance(given, False) == expected
        os.seteuid(65534)  # the same to the worker, which cannot even look
        try:
            assert hindrance(given, False) == expected
        finally:
            os.seteuid(0)
    assert hindrance(path, True) is None
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # workers of an agent that is not root run as its own user
    assert hindrance(path, False) is None


@pytest.mark.parametrize(
    ("argv", "script"),
    [
        (("python3", "/opt/x.py"), "/opt/x.py"),
        (("/usr/bin/python3.11", "/opt/x.py", "-v"), "/opt/x.py"),
        (("bash", "-c", "x"), ""),
        (("bash", "{x}"), ""),
        (("bash",), ""),
        (("cat", "/opt/x"), ""),
        ((), ""),
    ],
)
def test_an_interpreters_first_word_is_its_script(argv: tuple[str, ...], script: str) -> None:
    assert script_of(argv) == script


def lacking(argv: tuple[str, ...], privileged: bool = False) -> list[Lack]:
    parameters = (Parameter("port", "integer", 1, "P."),)
    return lacking_commands(
        Tracer("vpn", "V.", (Gauge("scalpels_vpn_x", "X."),), Command(argv, privileged=privileged), parameters)
    )


def test_what_only_the_worker_can_tell_is_left_to_it() -> None:
    assert lacking(("./beside.sh", "x")) == []
    assert lacking(("sh", "./beside.sh")) == []
    assert lacking(("/opt/{port}.sh",)) == []
    assert len(lacking(("/opt/{other}.sh",))) == 1


def test_a_folder_is_no_command() -> None:
    assert lacking(("/etc",)) == [Lack("/etc is no file", "name the file")]


@pytest.mark.root
def test_a_privileged_script_that_has_come_since_is_looked_at_before_it_runs(open_folder: Path) -> None:
    path = script(open_folder, b"#!/bin/sh\n")
    (lack,) = lacking((str(path),), privileged=True)
    assert lack.what.startswith(
        "refused, because what runs with privileges must be root's alone: /tmp can be written by"
    )
    assert lacking(("/bin/cat",), privileged=True) == []
