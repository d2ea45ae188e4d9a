"""The agent with http on, everything named that the tests start, and a child that says any bytes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from http_truth import HOSTILE, settings
from running import RunningAgent
from servers.http_server import HttpServer

Start = Callable[..., RunningAgent]


@pytest.fixture
def start(kernel_programs: None, start_agent: Callable[..., RunningAgent], until: Callable[..., object]) -> Start:
    """Starts it; returns when every process of these servers, and so many others, have their name."""

    def start(
        server: HttpServer | None = None, front: HttpServer | None = None, more: str = "{}", **others: int
    ) -> RunningAgent:
        agent = start_agent(settings(server, front, more))
        until(lambda: agent.value("scalpels_worker_up", tracer="http") == 1, 40, "http is up")
        named = {"server": server, "front": front}
        counts = {name: len(one.processes()) for name, one in named.items() if one}
        for program, count in {**counts, **others}.items():
            until(
                lambda program=program, count=count: (
                    (agent.value("scalpels_programs_processes", program=program) or 0) >= count
                ),
                20,
                f"{count} processes of {program} have their name",
            )
        return agent

    return start


@pytest.fixture
def talk() -> Iterator[Callable[..., None]]:
    """Says pieces, given as hex, over a connection of its own; see talker.py."""
    talker = Path(__file__).parents[2] / "talker.py"
    with subprocess.Popen(
        [sys.executable, "-S", str(talker), HOSTILE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        said, heard = child.stdin, child.stdout
        assert heard.readline() == "ready\n"

        def talk(kind: str, *pieces: str) -> None:
            said.write(" ".join((kind, *pieces)) + "\n")
            said.flush()
            assert heard.readline() == "done\n"

        yield talk
        said.close()
