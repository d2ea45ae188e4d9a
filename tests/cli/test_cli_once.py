"""`once`: one tracer without an agent. What it prints, what it says is wrong, and that it leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_process import Begin, Until, command, environment, run
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families
from running import lives, processes_of

Config = Callable[[str], Path]


@pytest.fixture
def config(open_folder: Path) -> Config:
    """A file with these tracers, written as under `tracers:`."""

    def write(text: str) -> Path:
        file = open_folder / "scalpels.yaml"
        file.write_text(f"tracers:\n{text}")
        return file

    return write


HONEST = """
  honest:
    command: [/usr/bin/python3, -S, {workers}/{script}.py, honest]
    mode: ticked
    format: samples
    metric: {{name: scalpels_honest_events_total, type: counter, help: Events., labels: [kind]}}
"""


# ---------------------------------------------------------------------------- what it prints


@pytest.mark.root
def test_a_built_in_tracer_prints_what_promtool_accepts() -> None:
    done = run("once", "program")
    assert (done.returncode, done.stderr) == (0, "")
    names = {family.name for family in text_string_to_metric_families(done.stdout)}
    assert "scalpels_program_cpu_seconds" in names
    if shutil.which("promtool"):
        checked = subprocess.run(
            ["promtool", "check", "metrics"], input=done.stdout, capture_output=True, text=True, timeout=30
        )
        assert (checked.returncode, checked.stderr) == (0, "")


def test_a_script_tracer_that_is_off_runs_and_prints_its_first_state(config: Config, workers: Path) -> None:
    file = config(HONEST.format(workers=workers, script="is_honest") + "    default: off\n")
    done = run("once", "honest", "--config.file", file)
    assert (done.returncode, done.stderr) == (0, "")
    (family,) = text_string_to_metric_families(done.stdout)
    assert {(s.labels["kind"], s.value) for s in family.samples} == {("a", 1), ("b", 2)}
    done = run("once", "honest", "--config.file", file, "--format", "openmetrics")
    assert done.stdout.endswith("# EOF\n")
    (family,) = parse_openmetrics(done.stdout)
    assert family.name == "scalpels_honest_events"


def test_a_worker_that_prints_when_it_likes_is_given_a_moment_to_say_all(config: Config) -> None:
    file = config("  slow:\n    command: [sh, -c, 'for i in 1 2 3; do echo 1 a$i; sleep 0.1; done; sleep 60']\n")
    done = run("once", "slow", "--config.file", file)
    assert done.returncode == 0
    assert [f'unit="a{n}"' in done.stdout for n in (1, 2, 3)] == [True] * 3


def test_a_pipe_gets_plain_text_of_what_was_seen(config: Config, workers: Path) -> None:
    file = config(HONEST.format(workers=workers, script="is_honest"))
    done = run("once", "honest", "--config.file", file, "--for", "1500ms")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert done.stdout.startswith("honest: 2 series, 3 snapshots, 1.")
    rows = [line.split()[:2] for line in done.stdout.splitlines() if line.startswith("  ")]
    assert rows == [["kind", "CHANGE"], ["b", "4"], ["a", "2"]]
    assert "worker: " in done.stdout.splitlines()[-1]


# ---------------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("tracer", "status", "said"),
    [
        ("command: /none/stat.sh", 69, "unsupported: /none/stat.sh: No such file or directory (install it there and"),
        ("command: [no-such-command]", 69, "unsupported: command no-such-command not found"),
        ("command: [sh, -c, 'echo no such device >&2; exit 69']", 69, "unsupported: no such device"),
        ("command: [sh, -c, 'exit 3']", 1, "the worker ended with exit status 3 before it had printed a snapshot"),
        ("command: [sh, -c, 'kill -9 $$']", 1, "the worker was ended by signal 9 before it had printed a snapshot"),
        ("command: [sleep, '60']", 1, "the worker printed nothing within 500 ms; a command may keep its output back"),
        ("{command: [sleep, '60'], mode: ticked}", 1,
         "the worker did not answer within 500 ms; a command may keep its output back"),
        ("{command: [sh, -c, 'read _; echo 5; sleep 60'], mode: ticked}", 1,
         "2 B came in 500 ms, but no snapshot was finished; a line that ends in the byte 0x1e (printf"),
        ("{command: [sh, -c, 'read _; echo a 5; sleep 60'], mode: ticked, format: columns, "
         "metric: {name: scalpels_odd_a, value: a}}", 1,
         "4 B came in 500 ms, but no snapshot was finished; a blank line, the next header ends one"),
        ("{command: [sh, -c, 'exit 1'], mode: rerun}", 1,
         "the worker ended with exit status 1 before it had printed a snapshot"),
        ("{command: [sh, -c, 'echo nonsense; sleep 60'], format: samples, metric: {name: scalpels_odd, type: gauge}}",
         1, "nothing of what the worker printed could be taken"),
        ("command: [sh, -c, 'printf 5; sleep 60']", 1, "1 B came in 500 ms, but no snapshot was finished"),
    ],
)  # fmt: skip
def test_without_a_snapshot_the_last_line_says_why(config: Config, tracer: str, status: int, said: str) -> None:
    body = tracer if tracer.startswith("{") else f"{{{tracer}}}"
    done = run("once", "odd", "--config.file", config(f"  odd: {body}\n"), "--wait", "500ms")
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.splitlines()[-1].startswith(f"scalpels once: {said}")


def test_lines_that_a_pattern_does_not_match_are_shown(config: Config) -> None:
    file = config(
        "  vpn:\n"
        "    command: [sh, -c, 'echo header; echo eth0 12; echo eth1 13 errors; echo eth2 x; echo eth2 x; sleep 60']\n"
        "    pattern: '(?P<device>\\S+) (?P<value>\\d+)$'\n"
    )
    done = run("once", "vpn", "--config.file", file)
    assert done.returncode == 0
    assert 'scalpels_vpn_value{device="eth0"} 12.0' in done.stdout
    assert done.stderr.splitlines() == [
        "refused: unmatched_line: the pattern is not found in a line: 'header'",
        "refused: unmatched_line: 'eth1 13 errors'",
        "refused: unmatched_line: 'eth2 x'",
        "refused in all: unmatched_line 4",
        "hint: a header or another line that is not meant is left out with skip: REGEX",
    ]


@pytest.mark.parametrize(
    ("section", "hint"),
    [
        ("command: [sh, -c, 'echo 1 2 3; sleep 60']", "a line has several numbers with the same word, or none, behind"),
        ("command: [echo, '1 a 2 a'], mode: rerun", "a line has several numbers with the same word, or none, behind"),
        ("command: [echo, 'rx=12 1,234'], mode: rerun", "a number is a word of its own, its unit behind it: 12 pkt/s"),
        ("command: [printf, 'head\\n1\\n'], mode: rerun, pattern: '(?P<value>\\d)'",
         "a header or another line that is not meant is left out with skip: REGEX"),
        ("command: [printf, 'A B on\\n1 2\\n'], mode: rerun, format: columns, metric: {name: scalpels_odd_a, value: A}",
         "in a header each word is a column; where one column has two words, as in `Mounted on`"),
        ("command: [printf, 'A B\\n1 2K\\n'], mode: rerun, format: columns, metric: {name: scalpels_odd_b, value: B}",
         "a number is bare, as in 1234.5 or 56%: have the tool print plain numbers"),
        ("command: [printf, 'a=2K\\n'], mode: rerun, format: logfmt, metric: {name: scalpels_odd_a, value: a}",
         "a number is bare, as in 1234.5: let the pattern leave a unit, % or thousands separator out"),
        ("command: [printf, 'A\\n1\\n2\\n'], mode: rerun, format: columns, metric: {name: scalpels_odd_a, value: A}",
         "the rows of a table need labels that tell them apart"),
        ("command: [printf, 'a=1\\na=2\\n'], mode: rerun, format: logfmt, metric: {name: scalpels_odd_a, value: a}",
         "these records have the same labels: add a label that tells them apart"),
    ],
)  # fmt: skip
def test_what_a_first_script_gets_wrong_is_answered_with_what_mends_it(config: Config, section: str, hint: str) -> None:
    done = run("once", "odd", "--config.file", config(f"  odd: {{{section}}}\n"))
    assert [line.startswith(f"hint: {hint}") for line in done.stderr.splitlines() if "hint: " in line] == [True]


@pytest.mark.parametrize("words", ["[echo, 12 pkt/s 3 byte/s 4]", "[printf, '\\033[32m12\\033[0m\\n# 1 2\\n']"])
def test_a_good_script_is_told_nothing(config: Config, words: str) -> None:
    done = run("once", "odd", "--config.file", config(f"  odd: {{command: {words}, mode: rerun}}\n"))
    assert (done.returncode, done.stderr) == (0, "")


def test_undeclared_metrics_are_refused_and_named(config: Config, workers: Path) -> None:
    file = config(HONEST.format(workers=workers, script="prints_undeclared_metrics"))
    done = run("once", "honest", "--config.file", file)
    assert "refused: undeclared_metric: " in done.stderr


def test_the_log_of_a_worker_is_shown_bounded_and_printable(config: Config) -> None:
    file = config(
        "  odd:\n"
        "    command:\n"
        "      - sh\n"
        "      - -c\n"
        "      - |\n"
        "        echo D! detail >&2; printf 'W! a\\033[31mb\\n' >&2\n"
        "        for i in $(seq 500); do echo line $i >&2; done\n"
        "        echo 1; sleep 60\n"
    )
    done = run("once", "odd", "--config.file", file)
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert lines[0] == "worker: W! a\ufffd[31mb"
    assert lines[-1] == "worker: 301 more lines"
    assert len(lines) == 201
    assert "worker: D! detail" in run("once", "odd", "--config.file", file, "--log.level=debug").stderr
    assert "line" not in run("once", "odd", "--config.file", file, "--log.level=warn").stderr


def test_a_command_that_prints_once_is_told_of_rerun(config: Config) -> None:
    done = run("once", "odd", "--config.file", config("  odd: {command: [echo, '42']}\n"))
    assert done.returncode == 0
    assert 'scalpels_odd_value{unit=""} 42.0' in done.stdout
    assert "mode: rerun" in done.stderr
    done = run("once", "odd", "--config.file", config("  odd: {command: [echo, '42'], mode: rerun}\n"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "42.0" in done.stdout


def test_a_check_whose_status_is_a_part_of_its_answer_is_told_what_an_agent_would_make_of_it(config: Config) -> None:
    done = run("once", "odd", "--config.file", config("  odd: {command: [sh, -c, echo 5; exit 1], mode: rerun}\n"))
    assert done.returncode == 1
    assert 'scalpels_odd_value{unit=""} 5.0' in done.stdout
    assert done.stderr.splitlines()[0] == "the worker ended with exit status 1"
    assert "write [sh, -c, 'CHECK; exit 0']" in done.stderr.splitlines()[1]


@pytest.mark.parametrize(
    "section",
    [
        "[printf, '5 a'], format: lines",
        "[printf, 'a b\\n5 x'], format: columns, metric: {name: scalpels_odd_a, value: a}",
    ],
)
def test_what_a_worker_printed_last_is_taken_as_an_agent_takes_it(config: Config, section: str) -> None:
    done = run("once", "odd", "--config.file", config(f"  odd: {{command: {section}}}\n"))
    assert done.returncode == 0
    assert " 5.0\n" in done.stdout


def test_a_worker_that_floods_ends_in_time(config: Config, workers: Path) -> None:
    file = config(HONEST.format(workers=workers, script="prints_without_newline"))
    done = run("once", "honest", "--config.file", file, "--wait", "2s", seconds=25)
    assert done.returncode == 1
    assert "refused: line_too_long" in done.stderr


# ---------------------------------------------------------------------------- nothing is left

FAMILY = "  family: {command: [sh, -c, 'setsid sleep 86399 & sleep 86399 & while true; do echo 1; sleep 0.1; done']}\n"


def family_of(process: subprocess.Popen[str], until: Until) -> list[int]:
    """Every process of it, once the grandchildren are there and the worker has printed."""

    def sleepers() -> list[int]:
        found = processes_of(process.pid)
        texts = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in found if lives(pid)]
        return found if sum(text.startswith(b"sleep\x0086399") for text in texts) == 2 else []

    found: list[int] = until(sleepers, 20, "two grandchildren")
    return found[1:]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whatever_it_started_is_gone_when_it_ends(config: Config, begin: Begin, until: Until, number: int) -> None:
    process = begin("once", "family", "--config.file", config(FAMILY), "--for", "60s")
    family = family_of(process, until)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert [pid for pid in family if lives(pid)] == []
    if number == signal.SIGINT:
        assert process.returncode == 0
        assert "family: 1 series" in out
    else:
        assert process.returncode == 128 + number
        assert err == f"scalpels once: ended by {signal.Signals(number).name}\n"


def test_ctrl_c_while_it_waits_for_a_first_snapshot_is_130(config: Config, begin: Begin, until: Until) -> None:
    file = config("  silent: {command: [sleep, '86399']}\n")
    process = begin("once", "silent", "--config.file", file, "--wait", "60s")
    until(lambda: len(processes_of(process.pid)) == 4, 20, "spawner, worker and command")
    family = processes_of(process.pid)[1:]
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 130
    assert [pid for pid in family if lives(pid)] == []


def test_whatever_it_started_is_gone_after_it_was_killed(config: Config, begin: Begin, until: Until) -> None:
    process = begin("once", "family", "--config.file", config(FAMILY), "--for", "60s")
    family = family_of(process, until)
    process.kill()
    until(lambda: not [pid for pid in family if lives(pid)], 5, "the family is gone")


@pytest.mark.root
def test_its_worker_and_itself_have_no_privileges(config: Config, begin: Begin, until: Until) -> None:
    process = begin("once", "family", "--config.file", config(FAMILY), "--for", "60s")
    family_of(process, until)

    def of(pid: int, key: str) -> str:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next(line.split()[1] for line in lines if line.startswith(f"{key}:"))

    spawner, *rest = processes_of(process.pid)[1:]
    assert of(spawner, "Uid") == "0"
    for pid in (process.pid, *rest):
        assert of(pid, "Uid") != "0"
        assert int(of(pid, "CapPrm"), 16) == 0


# ---------------------------------------------------------------------------- a terminal


def test_a_terminal_is_drawn_on_as_wide_as_it_is_and_ctrl_c_draws_early(
    config: Config, until: Until, workers: Path
) -> None:
    master, slave = os.openpty()
    os.set_blocking(master, False)
    subprocess.run(["stty", "rows", "40", "cols", "60"], stdin=slave, check=True, timeout=10)
    file = config(HONEST.format(workers=workers, script="is_honest"))
    process = subprocess.Popen(
        command("once", "honest", "--config.file", file, "--for", "60s"),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment(TERM="xterm"),
        start_new_session=True,
        preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0),
    )
    os.close(slave)
    said = b""

    def read() -> bytes:
        nonlocal said
        try:
            said += os.read(master, 65536)
        except BlockingIOError:
            pass
        except OSError:  # the other side is closed
            return said
        return said

    until(lambda: b"3 snapshots" in read(), 20, "the progress line")
    os.write(master, b"\x03")
    assert until(lambda: read() and process.poll() is not None, 20)
    assert process.returncode == 0
    text = read().decode()
    os.close(master)
    drawn = text.rpartition("\x1b[K")[2].splitlines()
    assert "snapshots" in drawn[0]
    assert any("scalpels_honest_events_total" in line for line in drawn)
    assert any("█" in line for line in drawn)
