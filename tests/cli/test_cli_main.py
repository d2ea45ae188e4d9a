"""Verbs, help, exit statuses: what every command line has in common."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module

import pytest
from cli_process import command, environment, run

from scalpels_exporter import __version__
from scalpels_exporter.cli.boundary import guarded
from scalpels_exporter.cli.exits import Problem
from scalpels_exporter.cli.main import VERBS


def test_version_is_said_by_both_names() -> None:
    said = [run("--version"), run("agent", "--version")]
    assert [(done.returncode, done.stdout.split()[:2]) for done in said] == [(0, ["scalpels", __version__])] * 2
    exporter = "import sys; from scalpels_exporter.cli.main import exporter; sys.exit(exporter())"
    done = subprocess.run(
        [sys.executable, "-c", exporter, "--version"], capture_output=True, text=True, env=environment(), timeout=30
    )
    assert done.stdout.split()[:2] == ["scalpels", __version__]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_with_an_example(verb: str) -> None:
    done = run(verb, "--help", COLUMNS="80")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: scalpels {verb}")
    example = done.stdout.rpartition("example: ")[2]
    assert f"scalpels {verb}" in example
    assert import_module(f"scalpels_exporter.cli.{verb}").EXAMPLE in done.stdout


def test_help_has_one_line_for_each_verb() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert all(f"  {verb} " in done.stdout and summary in done.stdout for verb, summary in VERBS.items())


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["lst"], "scalpels: no verb is called 'lst'; did you mean list? (see scalpels --help)"),
        (["qqq"], f"scalpels: no verb is called 'qqq'; known: {', '.join(VERBS)} (see scalpels --help)"),
        (["list", "--jsn"], "scalpels list: unrecognized arguments: --jsn (see scalpels list --help)"),
        (["start"], "scalpels start: the following arguments are required: NAME (see scalpels start --help)"),
        (
            ["start", "fs", "--for", "5x"],
            "scalpels start: argument --for: expected a duration such as 10s, 5m or 1h30m, "
            'got "5x" (see scalpels start --help)',
        ),
        (["start", "fs", "--user", "x"], "scalpels start: --user: a user name goes with --url"),
        (
            ["list", "--url", "ftp://x"],
            "scalpels list: --url: expected http(s)://HOST:PORT or unix:/PATH, got 'ftp://x'",
        ),
        (
            ["list", "--url", "http://me:secret@127.0.0.1:1"],
            "scalpels list: --url: no user name and password here, where everybody sees them; "
            "use --user and SCALPELS_PASSWORD",
        ),
        (["list", "--url", "http://[::1", "--ca-file", "/x"], "scalpels list: --ca-file: /x cannot be read"),
        (
            ["once", "program", "--top", "0"],
            "scalpels once: argument --top: expected a number from 1 (see scalpels once --help)",
        ),
        (
            ["once", "program", "--for", "1s", "--format", "text"],
            "scalpels once: --format goes without --for, which draws",
        ),
        (["once", "progam"], "scalpels once: no tracer is called 'progam'; did you mean program?"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_status_2(words: list[str], line: str) -> None:
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{line}\n"


def test_nothing_at_all_is_answered_by_the_verbs() -> None:
    done = run()
    assert done.returncode == 2
    assert "doctor" in done.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        command("list", "--offline"), stdout=writing, stderr=subprocess.PIPE, env=environment(), timeout=30
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_without_unicode_gets_what_it_can_show() -> None:
    done = run("--help", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "scalpels VERB ?" in done.stdout


def raising(error: BaseException) -> Callable[[], int]:
    def fail() -> int:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (Problem("no agent", 1), 1, "scalpels x: no agent\n"),
        (Problem("first\nsecond", 2), 2, "scalpels x: first\nscalpels x: second\n"),
        (KeyboardInterrupt(), 130, ""),
        (
            ModuleNotFoundError("No module named 'rich'", name="rich"),
            1,
            f"scalpels x: the Python package rich is not installed in {sys.prefix}; pip install scalpels-exporter "
            "there brings it\n",
        ),
        (PermissionError(13, "Permission denied", "/etc/shadow"), 1, "scalpels x: /etc/shadow: Permission denied\n"),
    ],
)
def test_every_error_is_lines_and_a_status(
    error: BaseException, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded("scalpels x", raising(error)) == status
    assert capsys.readouterr().err == said


def test_our_own_mistake_is_one_line_too_and_a_traceback_only_when_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert guarded("scalpels x", raising(ValueError("odd"))) == 1
    said = capsys.readouterr().err
    assert said.startswith("scalpels x: internal error: ValueError: odd (test_cli_main.py:")
    assert said.count("\n") == 1
    assert guarded("scalpels x", raising(ValueError("odd")), debug=True) == 1
    assert "Traceback" in capsys.readouterr().err


def test_version_loads_neither_http_nor_drawing() -> None:
    """Start-up is quick because a verb loads what it needs, and no more."""
    loaded = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "scalpels_exporter", "--version"],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=30,
    ).stderr
    names = {line.rpartition("|")[2].strip() for line in loaded.splitlines()}
    assert "scalpels_exporter.cli.main" in names
    assert not names & {"requests", "rich", "yaml", "psutil", "asyncio", "scalpels_exporter.config.load"}
