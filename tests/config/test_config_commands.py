"""Commands of script tracers: what needs a shell, and what the kernel would answer with a riddle, is explained."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from scalpels_exporter.config.commands import command_problem
from scalpels_exporter.config.shellwords import split
from scalpels_exporter.config.trust import Trust

Mistaken = Callable[[str], list[str]]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cat /proc/loadavg | cut -c1-4", "|"),
        ("cat /proc/loadavg|cut -c1-4", "|"),
        ("stat.sh 2>/dev/null", ">"),
        ("stat.sh; sleep 5", ";"),
        ("cd /opt && ./stat.sh", "&"),
        ("sleep 5 &", "&"),
        ("(date +%s)", "("),
        ("echo $(date +%s)", "$("),
        ("echo `date +%s`", "`"),
        ('echo "`date +%s`"', "`"),
        ("echo $HOSTNAME 5", "$HOSTNAME"),
        ('echo "$HOSTNAME" 5', "$HOSTNAME"),
        ("echo ${HOSTNAME}", "${"),
        ("cat /sys/class/net/*/statistics/rx_bytes", "*"),
        ("~/stat.sh", "~"),
        ("stat.sh ~/data", "~"),
    ],
)
def test_what_only_a_shell_understands_is_refused(text: str, found: str) -> None:
    with pytest.raises(ValueError, match="no shell runs this, so ") as caught:
        split(text)
    assert f"so {found} would be taken as it stands; write [sh, -c, '…']" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("vmstat 1", ["vmstat", "1"]),
        ("awk '{print $1 * 2; exit}' /proc/loadavg", ["awk", "{print $1 * 2; exit}", "/proc/loadavg"]),
        ("sh -c 'df -P | sed \"1s/ on$//\"'", ["sh", "-c", 'df -P | sed "1s/ on$//"']),
        ("sh -c 'echo $HOME'", ["sh", "-c", "echo $HOME"]),
        (r"echo \$HOME \* a\ b", ["echo", "$HOME", "*", "a b"]),
        ('grep "a|b" "it\'s"', ["grep", "a|b", "it's"]),
        ('curl "http://127.0.0.1/?a=1&b=2"', ["curl", "http://127.0.0.1/?a=1&b=2"]),
        ('grep "end$" file', ["grep", "end$", "file"]),
        ("cmd a~b ~user x$ 5$", ["cmd", "a~b", "~user", "x$", "5$"]),
        ("env FOO=1 stat.sh", ["env", "FOO=1", "stat.sh"]),
    ],
)
def test_what_a_shell_would_leave_alone_is_taken(text: str, words: list[str]) -> None:
    assert list(split(text)) == words


def test_a_variable_before_the_command_is_told_of_env() -> None:
    with pytest.raises(ValueError, match=r"FOO=1 would be taken for the command; write env before it"):
        split("FOO=1 /opt/stat.sh")


def problem(folder: Path, content: bytes, mode: int = 0o755, before: tuple[str, ...] = ()) -> str:
    script = folder / "stat.sh"
    script.write_bytes(content)
    script.chmod(mode)
    return command_problem((*before, str(script)), False, Trust()).replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"#!/bin/sh\necho 1\n", ""),
        (b"#!/usr/bin/env sh\necho 1\n", ""),
        (b"#! /bin/sh -e\necho 1\n", ""),
        (b"\x7fELF\x02\x01", ""),
        (b"#!/nowhere/python9\n", "stat.sh names an interpreter that is not there: /nowhere/python9"),
        (b"#!/usr/bin/env nosuchpython\n", "stat.sh names an interpreter that is not on the PATH: nosuchpython"),
        (b"#!\necho 1\n", "stat.sh names an interpreter that is not there: none"),
        (b"echo 1\n", "stat.sh has no first line that names its interpreter, such as #!/bin/sh"),
        (
            b"#!/bin/sh\r\necho 1\r\n",
            "stat.sh ends its first line as Windows does, which makes the carriage return a part of the interpreter's "
            r"name: sed -i 's/\r$//' stat.sh",
        ),
    ],
)
def test_a_first_line_that_the_kernel_cannot_follow_is_explained(content: bytes, said: str, open_folder: Path) -> None:
    assert problem(open_folder, content) == said


def test_a_script_has_to_be_readable_by_its_interpreter_and_a_program_has_not(open_folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("another user's view is told from root's")
    said = "stat.sh cannot be read by the unprivileged user that runs it: chmod a+r stat.sh"
    assert problem(open_folder, b"#!/bin/sh\n", 0o711) == said
    assert problem(open_folder, b"\x7fELF\x02\x01", 0o711) == ""
    assert problem(open_folder, b"echo 1\n", 0o600, before=("sh",)) == said
    assert problem(open_folder, b"echo 1\n", 0o644, before=("/bin/sh",)) == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("python3", "stat.py"), "expected an absolute path of the script, got stat.py"),
        (("python3.11", "/nowhere/stat.py"), "/nowhere/stat.py: No such file or directory"),
        (("bash", "/etc"), "/etc is no file"),
        (("sh", "-c", "echo 1"), ""),
        (("python3", "-m", "stat"), ""),
        (("sh",), ""),
        (("cat", "stat.txt"), ""),
    ],
)
def test_the_script_that_an_interpreter_is_given_is_looked_at_too(words: tuple[str, ...], said: str) -> None:
    assert command_problem(words, False, Trust()) == said


def test_an_ordinary_users_own_script_may_be_out_of_the_reach_of_others(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = open_folder / "home" / "stat.sh"
    script.parent.mkdir(mode=0o700)
    script.write_text("#!/bin/sh\necho 1\n")
    script.chmod(0o700)
    assert "cannot be executed" in command_problem((str(script),), False, Trust()) or os.geteuid() != 0
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # workers of an agent that is not root run as its own user
    assert command_problem((str(script),), False, Trust()) == ""


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("{comand: /bin/sh}", "tracers.vpn.comand: unknown key; did you mean command?"),
        ("{commands: [/bin/sh], mode: rerun}", "tracers.vpn.commands: unknown key; did you mean command?"),
        ("{format: logfmt}", "tracers.vpn: expected the key command, which makes a script a tracer"),
        ("{level: 3}", "tracers.vpn: unknown tracer; a script tracer of your own needs the key command"),
        ("on", "tracers.vpn: unknown tracer; a script tracer of your own needs the key command"),
    ],
)
def test_a_script_whose_command_is_misspelt_is_told_so(lines: str, said: str, mistaken: Mistaken) -> None:
    assert f"scalpels.yaml:1: {said}" in mistaken(f"tracers: {{vpn: {lines}}}\n")


def test_a_number_with_an_exponent_needs_no_point(configured: Callable[[str], object]) -> None:
    text = (
        "tracers: {{vpn: {{command: sh, metric: {{name: scalpels_vpn_seconds, scale: {}, buckets: [1e-3, 2E0]}}}}}}\n"
    )
    tracer = configured(text.format("1e-6")).tracers["vpn"].tracer  # type: ignore[attr-defined]
    assert tracer.runs.format.bindings[0].scale == 1e-6
    assert tracer.metrics[0].buckets.bounds() == (0.001, 2.0)


def test_a_quoted_number_stays_a_text(mistaken: Mistaken) -> None:
    assert mistaken("tracers: {vpn: {command: sh, metric: {name: scalpels_vpn_x, scale: '1e-6'}}}\n") == [
        'scalpels.yaml:1: tracers.vpn.metric.scale: expected a number, got the text "1e-6"'
    ]


def test_a_pattern_without_named_groups_is_told_how_one_is_written(mistaken: Mistaken) -> None:
    assert mistaken("tracers: {vpn: {command: sh, pattern: '(\\d+)', metric: {name: scalpels_vpn_x}}}\n") == [
        'scalpels.yaml:1: tracers.vpn: binding of scalpels_vpn_x: the records have no field "value", because the '
        "pattern has no named group: (?P<value>…)"
    ]
