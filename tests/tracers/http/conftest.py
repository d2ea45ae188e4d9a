"""The agent with http on, and everything named that the tests start."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from http_truth import settings
from running import RunningAgent
from servers.http_server import HttpServer

Start = Callable[..., RunningAgent]


@pytest.fixture
def start(kernel_programs: None, start_agent: Callable[..., RunningAgent], until: Callable[..., object]) -> Start:
    """Starts it; returns when one load and every process of these servers have their name."""

    def start(server: HttpServer | None = None, front: HttpServer | None = None, more: str = "{}") -> RunningAgent:
        agent = start_agent(settings(server, front, more))
        until(lambda: agent.value("scalpels_worker_up", tracer="http") == 1, 40, "http is up")
        named = {"server": server, "front": front}
        for program, count in {"load": 1, **{name: len(one.processes()) for name, one in named.items() if one}}.items():
            until(
                lambda program=program, count=count: (
                    (agent.value("scalpels_programs_processes", program=program) or 0) >= count
                ),
                20,
                f"{count} processes of {program} have their name",
            )
        return agent

    return start
