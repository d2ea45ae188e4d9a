"""Debian 12's oslo.messaging and the newest one call one another, and are counted alike."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from callers import lost
from loads.releases import debian_python
from rpc_truth import Watched, known, rpc
from running import RunningAgent
from servers.rabbitmq_server import RabbitMq

pytestmark = [pytest.mark.root, pytest.mark.server]
NEWEST = Path(sys.executable)
SIZES = [100] * 8 + [1000] * 8 + [20_000, 200_000]


@pytest.mark.parametrize("old", ["client", "server", "both"])
def test_who_is_older_does_not_matter(
    broker: RabbitMq, agent: RunningAgent, until: Callable[..., object], old: str
) -> None:
    debian = debian_python()
    pythons = (NEWEST if old == "server" else debian, NEWEST if old == "client" else debian)
    with rpc(broker, pythons=pythons) as ends:
        known(agent, until, client=1, server=1)
        watched = Watched(agent)
        report = ends.run(calls=1000, casts=200, fanouts=40, workers=20, sizes=SIZES, context=1500)
        served = ends.served()

        def all_is_served() -> bool:
            served.update(ends.served())
            return served.total() >= report.sent.total()

        until(all_is_served, 30, "all casts are worked on")
        failing = ends.run(calls=7, fails="ValueError", methods=["ping"])
        seen = watched.after()
    assert not report.failed
    assert failing.failed.total() == 7
    for side in ("client", "server"):
        assert seen.calls(side, program=side) == report.call + failing.call
        assert seen.messages(side, "cast") == report.cast
        assert seen.messages(side, "fanout") == report.fanout
        assert seen.by("exception", "scalpels_rpc_failures_total", program=side)["ValueError"] == 7
    assert served == report.sent
    assert lost(agent) == {}
