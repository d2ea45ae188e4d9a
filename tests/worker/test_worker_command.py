"""A tracer that is a command: how it is run, in which mode, and what its end says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import QUIET, RunningAgent

from scalpels_exporter.config.settings import Chosen
from scalpels_exporter.declare import Command, Tracer
from scalpels_exporter.worker.command import argv

Start = Callable[..., RunningAgent]
Until = Callable[..., Any]


@pytest.mark.parametrize(
    ("words", "parameters", "stem", "expected"),
    [
        (("ss", "-t"), {}, "", ["ss", "-t"]),
        (("./port.sh", "{port}"), {"port": 5672}, "/opt/tracers/port.py", ["/opt/tracers/port.sh", "5672"]),
        (("./x",), {}, "", ["./x"]),
        (("awk", "{print $1} {unknown}"), {"print": "no"}, "", ["awk", "{print $1} {unknown}"]),
        (("a{b}c{b}",), {"b": "1 2"}, "", ["a1 2c1 2"]),
    ],
)
def test_words_are_filled_in(words: tuple[str, ...], parameters: Any, stem: str, expected: list[str]) -> None:
    tracer = Tracer("x", "X.", (), Command(words))
    assert argv(Chosen(tracer, True, parameters, stem)) == expected


def script(folder: Path, name: str, text: str, mode: int = 0o755) -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return path


def tracer(name: str, command: Path | str, *lines: str) -> str:
    more = "".join(f"    {line}\n" for line in lines)
    return f"{QUIET}  {name}:\n    command: {command}\n{more}"


def test_three_lines_of_yaml_serve_a_script_that_prints_numbers(
    start_agent: Start, open_folder: Path, until: Until
) -> None:
    path = script(open_folder, "vpn", "#!/bin/sh\nwhile :; do echo '12.00 pkt/s 3400.00 byte/s'; sleep 0.2; done\n")
    agent = start_agent(tracer("vpn", path))
    until(lambda: agent.value("scalpels_vpn_value", unit="pkt/s") == 12)
    assert agent.value("scalpels_vpn_value", unit="byte/s") == 3400


def test_a_command_that_prints_once_is_run_afresh_for_each_scrape(
    start_agent: Start, open_folder: Path, until: Until
) -> None:
    path = script(open_folder, "once", f"#!/bin/sh\necho x >> {open_folder}/runs/log\nwc -l < {open_folder}/runs/log\n")
    (open_folder / "runs").mkdir()
    (open_folder / "runs").chmod(0o777)
    agent = start_agent(tracer("once", path, "mode: rerun"))
    first = until(lambda: agent.value("scalpels_once_value", unit=""))
    assert agent.value("scalpels_once_value", unit="") == first + 1
    assert agent.tracer("once")["starts"] == 1


def test_a_stream_that_ends_well_is_told_about_rerun(start_agent: Start, open_folder: Path, until: Until) -> None:
    agent = start_agent(tracer("once", script(open_folder, "once", "#!/bin/sh\necho 7\n")))
    until(lambda: "mode: rerun" in agent.tracer("once")["why"])


@pytest.mark.parametrize(
    ("text", "state", "why"),
    [
        ("#!/bin/sh\necho 'E! no such table' >&2\nexit 3\n", "backoff", "exit status 3: no such table"),
        ("#!/bin/sh\nkill -SEGV $$\n", "backoff", "signal 11"),
        ("#!/bin/sh\necho 'needs a VPN' >&2\nexit 69\n", "unsupported", "needs a VPN"),
    ],
    ids=["status", "signal", "unsupported"],
)
def test_the_end_of_a_command_says_why(
    start_agent: Start, open_folder: Path, until: Until, text: str, state: str, why: str
) -> None:
    agent = start_agent(tracer("bad", script(open_folder, "bad", text)))
    until(lambda: agent.tracer("bad")["state"] in (state, "failed") and why in agent.tracer("bad")["why"])


def test_a_script_that_is_missing_makes_its_tracer_unsupported_until_it_has_come(
    start_agent: Start, open_folder: Path, until: Until
) -> None:
    here = script(open_folder, "here", "#!/bin/sh\necho 7\n")
    agent = start_agent(
        f"{QUIET}  here: {{command: {here}, mode: rerun}}\n  late: {{command: {open_folder}/late, mode: rerun}}\n"
    )
    until(lambda: agent.tracer("late")["state"] == "unsupported")
    cure = f"install it there and chmod 755 {open_folder}/late"
    assert agent.tracer("late")["why"] == f"{open_folder}/late: No such file or directory ({cure})"
    until(lambda: agent.value("scalpels_here_value", unit="") == 7)
    script(open_folder, "late", "#!/bin/sh\necho 8\n")
    assert agent.post("/-/reload").status_code == 200
    until(lambda: agent.value("scalpels_late_value", unit="") == 8)


def test_a_python_script_need_not_flush(start_agent: Start, open_folder: Path, until: Until) -> None:
    text = "#!/usr/bin/env python3\nimport time\nprint(7)\ntime.sleep(600)\n"
    agent = start_agent(tracer("snake", script(open_folder, "snake", text)))
    until(lambda: agent.value("scalpels_snake_value", unit="") == 7)


def test_a_command_sees_a_plain_environment_and_no_open_file_of_ours(
    start_agent: Start, open_folder: Path, until: Until
) -> None:
    text = '#!/bin/sh\necho "$(ls /proc/self/fd | wc -l) fds"\necho "$(env | wc -l) variables"\necho "$(umask) mask"\n'
    agent = start_agent(tracer("env", script(open_folder, "env", text), "mode: rerun"))
    assert until(lambda: agent.value("scalpels_env_value", unit="fds")) == 4  # 0, 1, 2 and that of ls itself
    assert (agent.value("scalpels_env_value", unit="variables") or 0) <= 7
    assert agent.value("scalpels_env_value", unit="mask") == 77
