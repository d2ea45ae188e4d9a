"""One broker and one agent for the tests of a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec

import pytest
from rpc_truth import settings
from running import RunningAgent
from servers.rabbitmq_server import RabbitMq


@pytest.fixture(scope="module")
def broker() -> Iterator[RabbitMq]:
    if find_spec("oslo_messaging") is None:
        pytest.skip("needs oslo.messaging (tools/setup.sh test)")
    with RabbitMq() as server:
        yield server


@pytest.fixture(scope="module")
def agent(kernel_programs: None, broker: RabbitMq, agent_of_module: Callable[..., RunningAgent]) -> RunningAgent:
    return agent_of_module(settings(broker), "rpc")
