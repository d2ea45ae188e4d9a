"""What every test may use: waiting for a condition, a running agent, and skips that CI refuses."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from running import WORKERS, RunningAgent, wait_until

from scalpels_exporter.bpf import headers


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., Any]:
    return wait_until


def pytest_configure() -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # run in a script's background: so would all that is started
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """In CI nothing may be skipped: a skip there is a missing part, so it fails with its reason."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that the unprivileged worker can read, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="scalpels-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def start_agent(open_folder: Path) -> Iterator[Callable[..., RunningAgent]]:
    """Starts an agent with a configuration's text; all are ended after the test, and must leave nothing behind."""
    started: list[RunningAgent] = []

    def start(config: str = "", *flags: str, user: list[str] | None = None) -> RunningAgent:
        folder = open_folder / str(len(started))
        folder.mkdir()
        agent = RunningAgent(folder, config, *flags, user=user)
        started.append(agent)
        return agent

    yield start
    for agent in started:
        agent.close()
        wait_until(lambda agent=agent: not agent.survivors(), 5, "every process of the agent is gone")


@pytest.fixture(scope="module")
def agent_of_module() -> Iterator[Callable[[str, str], RunningAgent]]:
    """Starts one agent for all tests of a module, with a configuration and the tracer that must be up."""
    started: list[tuple[RunningAgent, Path]] = []

    def start(config: str, tracer: str) -> RunningAgent:
        folder = Path(tempfile.mkdtemp(prefix="scalpels-test-"))
        folder.chmod(0o755)
        agent = RunningAgent(folder, config)
        started.append((agent, folder))
        wait_until(lambda: agent.value("scalpels_worker_up", tracer=tracer) == 1, 40, f"{tracer} is up")
        return agent

    yield start
    for agent, folder in started:
        agent.close()
        wait_until(lambda agent=agent: not agent.survivors(), 5, "every process of the agent is gone")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def workers(open_folder: Path) -> Path:
    """The children of tests/workers, where the unprivileged worker can read them."""
    target = open_folder / "workers"
    shutil.copytree(WORKERS, target)
    target.chmod(0o755)
    for file in target.iterdir():
        file.chmod(0o644)
    return target


@pytest.fixture(scope="session")
def kernel_programs() -> None:
    """Skips where kernel programs cannot be compiled."""
    if importlib.util.find_spec("bcc") is None:
        pytest.skip("needs python3-bpfcc")
    if headers.find() is None:
        pytest.skip("needs kernel headers")
