"""Commands of script tracers: what needs a shell, and what the kernel would answer with a riddle, is explained."""

from __future__ import annotations

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


def script(folder: Path, content: bytes, mode: int = 0o755) -> Path:
    path = folder / "stat.sh"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"#!/bin/sh\necho 1\n", ""),
        (b"#! /bin/sh -e\necho 1\n", ""),
        (b"\x7fELF\x02\x01", ""),
        (b"#!/nowhere/python9\n", ""),
        (b"", ""),
        (b"echo 1\n", "stat.sh has no first line that names its interpreter: begin it with one, such as #!/bin/sh"),
        (
            b"#!/bin/sh\r\necho 1\r\n",
            "stat.sh ends its first line as Windows does, which makes the carriage return a part of the interpreter's "
            r"name: sed -i 's/\r$//' stat.sh",
        ),
    ],
)
def test_a_first_line_that_no_kernel_can_follow_is_a_mistake(content: bytes, said: str, open_folder: Path) -> None:
    words = (str(script(open_folder, content)),)
    assert command_problem(words, False, Trust()).replace(f"{open_folder}/", "") == said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "expected a command, got an empty word"),
        (("./stat.sh",), "expected an absolute path or a name on the PATH, got ./stat.sh"),
        (("/etc",), "/etc is no file"),
        (("/nowhere/stat.sh",), ""),
        (("/etc/passwd/stat.sh",), ""),
        (("/" + "x" * 5000,), ""),
        (("sh", "a\0b"), "expected words without NUL"),
        (("python3", "stat.py"), "expected an absolute path of the script, got stat.py"),
        (("python3.11", "/nowhere/stat.py"), ""),
        (("bash", "/etc"), "/etc is no file"),
        (("sh", "-c", "echo 1"), ""),
        (("python3", "-m", "stat"), ""),
        (("sh",), ""),
        (("cat", "stat.txt"), ""),
    ],
)
def test_what_may_come_later_is_no_mistake_and_what_stays_wrong_is(words: tuple[str, ...], said: str) -> None:
    assert command_problem(words, False, Trust()) == said


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o711])
def test_what_the_worker_may_not_read_or_execute_is_no_mistake(open_folder: Path, mode: int) -> None:
    assert command_problem((str(script(open_folder, b"#!/bin/sh\n", mode)),), False, Trust()) == ""


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
