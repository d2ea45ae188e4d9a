"""`check`, and what `agent` refuses before it starts anything."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from cli_process import Begin, Until, run

WEB = "basic_auth_users:\n  alice: $2y$04$1oFgXOHcgYSPfSOHSQ7cPeJOkZJjXyYSBHyMYFkWnHO8UGVhZmS3q\n"


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_good_files_are_summed_up_in_a_line_each(tmp_path: Path) -> None:
    config = write(tmp_path, "c.yaml", "programs:\n  - {name: billing, cmdline: billing}\ntracers:\n  program: off\n")
    web = write(tmp_path, "w.yaml", WEB)
    done = run("check", "--config.file", config, "--web.config.file", web)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    assert first.startswith(f"{config}: good: ")
    assert "off (" in first
    assert "program" in first.partition("off (")[2]
    assert "rules for programs" in first
    assert second == f"{web}: good: no TLS; 1 user"


def test_a_script_that_this_host_has_not_is_a_note_and_no_mistake(tmp_path: Path) -> None:
    text = "tracers:\n  vpn: {command: /none/stat.sh}\n  wg: {command: no-such-command}\n  fine: {command: sh}\n"
    config = write(tmp_path, "c.yaml", text)
    done = run("check", "--config.file", config)
    assert (done.returncode, done.stderr) == (0, "")
    first, *notes = done.stdout.splitlines()
    assert first.startswith(f"{config}: good: ")
    assert notes == [
        "note: tracers.vpn: /none/stat.sh: No such file or directory (install it there and chmod 755 /none/stat.sh)",
        "note: tracers.wg: command no-such-command not found (install no-such-command and put it on the agent's PATH)",
    ]


def test_without_a_file_the_defaults_are_checked() -> None:
    done = run("check")
    assert done.returncode == 0
    assert "rules for programs" in done.stdout


def test_all_mistakes_of_both_files_are_said_at_once(tmp_path: Path) -> None:
    config = write(tmp_path, "c.yaml", "tracers:\n  progam: off\nbudgets: {overhead: lots}\n")
    web = write(tmp_path, "w.yaml", "basic_auth_user: {}\n")
    done = run("check", "--config.file", config, "--web.config.file", web)
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [f"{config}:2", f"{config}:3", f"{web}:1"]
    assert "program" in lines[0]


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    done = run("check", "--config.file", tmp_path / "none.yaml")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"{tmp_path}/none.yaml: ")


def test_the_agent_says_every_mistake_of_flags_and_files_before_it_starts(tmp_path: Path) -> None:
    config = write(tmp_path, "c.yaml", "tracers:\n  progam: off\n")
    web = write(tmp_path, "w.yaml", "basic_auth_user: {}\n")
    done = run(
        "agent",
        *("--config.file", config, "--web.config.file", web, "--web.telemetry-path", "metrics"),
        *("--web.listen-address", "nowhere", "--web.listen-address", ":99999", "--web.socket", "relative.sock"),
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.partition(": ")[0] for line in done.stderr.splitlines()] == [
        "--web.listen-address",
        "--web.listen-address",
        "--web.socket",
        "--web.telemetry-path",
        f"{web}:1",
        f"{config}:2",
    ]


def test_a_configuration_alone_that_is_bad_ends_the_agent_with_2(tmp_path: Path) -> None:
    config = write(tmp_path, "c.yaml", "tracers:\n  progam: off\n")
    done = run("agent", "--config.file", config, "--web.listen-address", "127.0.0.1:0")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"{config}:2: ")


def test_a_port_that_is_taken_is_one_line_in_the_log_and_status_1(tmp_path: Path) -> None:
    config = write(tmp_path, "c.yaml", "tracers:\n  program: off\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run("agent", "--config.file", config, "--web.listen-address", address, "--web.socket", tmp_path / "s")
    assert done.returncode == 1
    assert address in done.stderr


@pytest.mark.parametrize("style", ["logfmt", "json"])
def test_several_addresses_are_listened_on_and_the_log_has_the_form_asked_for(
    open_folder: Path, begin: Begin, until: Until, style: str
) -> None:
    (open_folder / "run").mkdir()
    (open_folder / "run").chmod(0o777)
    listen = [f"--web.listen-address=127.0.0.{n}:0" for n in (1, 2)]
    process = begin("agent", *listen, f"--web.socket={open_folder}/run/s", f"--log.format={style}")
    assert process.stderr
    line = until(lambda: next((x for x in process.stderr if "agent started" in x), ""), 20)
    assert "127.0.0.1:" in line
    assert "127.0.0.2:" in line
    assert line.startswith("{" if style == "json" else "ts=")
