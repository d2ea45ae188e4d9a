"""Requests that wait, that nobody answers, that become something else; their times; their routes."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from callers import Series, lost, series_of
from http_truth import MARK, Counted, Watched, in_flight
from loads.load import HttpLoad
from loads.reports import read_times
from running import RunningAgent
from servers.python_servers import AiohttpWeb, Gunicorn

pytestmark = [pytest.mark.root, pytest.mark.server]
Until = Callable[..., object]
ENDS = (("client", "load"), ("server", "server"))
# Server think time in seconds → how often.
THINKING = {0.000_05: 60, 0.000_5: 60, 0.005: 40, 0.05: 20, 0.3: 5, 5.0: 1}


def test_requests_are_in_flight_while_the_server_thinks(start: Callable[..., RunningAgent], until: Until) -> None:
    with AiohttpWeb() as server, HttpLoad("raw", server.target(), MARK) as load:
        load.do("connect", count=6)
        agent = start(server, load=1)
        load.say("run", mix="thinking", count=6, seconds=3)
        for side, program in ENDS:
            until(lambda s=side, p=program: in_flight(agent, s, p) == 6, 3, f"six in flight at the {side}")
        load.hear()
        for side, program in ENDS:
            assert in_flight(agent, side, program) == 0


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
@pytest.mark.parametrize("dies", ["client", "server"])
def test_requests_whose_other_end_dies_are_unanswered_and_no_longer_in_flight(
    start: Callable[..., RunningAgent], until: Until, dies: str, unix: bool
) -> None:
    with AiohttpWeb() as server, HttpLoad("raw", server.target(unix=unix), MARK) as load:
        load.do("connect", count=4)
        agent = start(server, load=1)
        watched = Watched(agent)
        load.say("run", mix="thinking", count=4, seconds=20)
        for side, program in ENDS:
            until(lambda s=side, p=program: in_flight(agent, s, p) == 4, 3, f"four in flight at the {side}")
        load.kill() if dies == "client" else server.close()
        for side, program in ENDS:
            until(lambda s=side, p=program: in_flight(agent, s, p) == 0, 15, f"none in flight at the {side}")
        seen = watched.after()
        for side, program in ENDS:
            assert seen.total("scalpels_http_unanswered_total", program=program, side=side) == 4
            assert seen.requests(program, side) == Counted()


def test_websockets_are_counted_as_upgrades_and_their_messages_are_no_requests(
    start: Callable[..., RunningAgent],
) -> None:
    with AiohttpWeb() as server, HttpLoad("aiohttp", server.target(), MARK) as load:
        load.do("connect", count=1)
        agent = start(server, load=1)
        watched = Watched(agent)
        load.do("websockets", count=5, messages=20)
        seen = watched.after()
        for side, program in ENDS:
            assert seen.requests(program, side) == Counted({("GET", 101, "/ws"): 5})
            assert seen.total("scalpels_http_upgrades_total", program=program, side=side) == 5
        assert lost(agent) == {}


def buckets(found: Series, program: str, side: str) -> dict[float, float]:
    """Bound → observations at or below it, of what the server thought about."""
    wanted = {("program", program), ("route", "/thinking")}
    return {
        float(dict(labels)["le"]): value
        for (name, labels), value in found.items()
        if name == f"scalpels_http_{side}_seconds_bucket" and wanted <= set(labels)
    }


def quantile(counts: dict[float, float], share: float) -> float:
    """The bound of the bucket that it lies in."""
    return min(bound for bound, count in counts.items() if count >= share * counts[math.inf])


def test_quantiles_are_within_one_bucket_of_the_clients(start: Callable[..., RunningAgent], tmp_path: Path) -> None:
    with Gunicorn("gthread") as server, HttpLoad("raw", server.target(), MARK) as load:
        load.do("connect", count=1)
        agent = start(server, load=1)
        took: list[float] = []
        for seconds, times in THINKING.items():
            file = tmp_path / f"{seconds}"
            load.say("run", mix="thinking", count=times, seconds=seconds, times=str(file))
            load.hear()
            took += [nanoseconds / 1e9 for nanoseconds in read_times(file)["GET 200"]]
        found = series_of(agent, "scalpels_http")
        took.sort()
        for side, program in ENDS:
            counts = buckets(found, program, side)
            assert counts[math.inf] == sum(THINKING.values())
            for share in (0.5, 0.9, 0.99):
                truth = took[max(0, math.ceil(share * len(took)) - 1)]
                assert abs(math.log2(quantile(counts, share)) - math.ceil(math.log2(truth))) <= 1, (side, share)


def test_the_users_own_routes_have_their_names_and_those_beyond_the_greatest_number_are_other(
    start: Callable[..., RunningAgent], talk: Callable[..., None]
) -> None:
    agent = start(hostile=1, more="{routes: ['/people/{name}/orders'], routes_most: 3}")
    for path in ("/people/alice/orders?token=canary", "/people/bob/orders", "/a", "/b", "/c", "/a"):
        talk("tcp", f"GET {path} HTTP/1.1\r\n\r\n".encode().hex(), "<" + b"HTTP/1.1 204 No\r\n\r\n".hex())
    seen = {
        dict(labels)["route"]: value
        for (name, labels), value in agent.samples().items()
        if name == "scalpels_http_server_seconds_count" and ("program", "hostile") in labels
    }
    assert sum(seen.values()) == 6
    # The agent's own /metrics is one of the three.
    assert 2 <= len(seen) <= 4
    assert seen["other"] >= 1
    assert set(seen) - {"/people/{name}/orders", "/a", "/b", "/c", "other"} == set()
    said = str(agent.samples())
    assert not any(name in said for name in ("canary", "alice", "bob"))
