"""The one agent of all that runs inside: every tracer with kernel programs is on, nothing else."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cases import TRACERS, parameters, program_of
from running import RunningAgent, quiet_but, wait_until

START_SECONDS = 290  # an emulated machine compiles slowly, and all at once


@pytest.fixture(scope="session")
def agent() -> Iterator[RunningAgent]:
    folder = Path(tempfile.mkdtemp(prefix="scalpels-test-"))
    folder.chmod(0o755)  # for the agent, which is not root when it makes its socket there
    rules = [{"name": program_of(name), "cmdline": f"mark-of-{program_of(name)}$"} for name in TRACERS]
    on = "".join(f"  {name}: {yaml.safe_dump(parameters(name), default_flow_style=True)}" for name in TRACERS)
    agent = RunningAgent(folder, f"{yaml.safe_dump({'programs': rules})}{quiet_but(*TRACERS)}{on}")
    try:
        yield agent
    finally:
        agent.close()
        shutil.rmtree(folder)


@pytest.fixture
def tracer_is_up(agent: RunningAgent, name: str) -> None:
    """The tracer of the test; another that fails is another test's business."""
    wait_until(lambda: is_up(agent, name), START_SECONDS, f"{name} is up")


def is_up(agent: RunningAgent, name: str) -> bool:
    state = agent.tracer(name)
    # Not one that waits for its host.
    if state["state"] in ("failed", "unsupported"):
        pytest.fail(f"{name} is {state['state']}: {state['why']}\n{agent.log.read_text()}")
    return agent.value("scalpels_worker_up", tracer=name) == 1
