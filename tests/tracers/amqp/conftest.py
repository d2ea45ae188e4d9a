"""One broker and one agent for the tests of a module; and the frames, which cases make by hand too."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from amqp_truth import settings
from running import RunningAgent
from servers.rabbitmq_server import RabbitMq


@pytest.fixture(scope="module")
def broker() -> Iterator[RabbitMq]:
    with RabbitMq() as server:
        yield server


@pytest.fixture(scope="module")
def agent(kernel_programs: None, broker: RabbitMq, agent_of_module: Callable[..., RunningAgent]) -> RunningAgent:
    return agent_of_module(settings(broker), "amqp")


@pytest.fixture(scope="session")
def frames() -> ModuleType:
    spec = importlib.util.spec_from_file_location("amqp_frames", Path(__file__).with_name("frames.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
