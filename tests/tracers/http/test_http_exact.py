"""What the real agent counts of HTTP equals what the servers and the clients count themselves, to the unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from callers import lost
from http_truth import MARK, Watched, in_flight, logged, routed
from loads.load import HttpLoad, NotSupported
from loads.reports import Request
from running import RunningAgent, wait_until
from servers.front_servers import Apache, Nginx
from servers.http_server import HttpServer
from servers.python_servers import AiohttpWeb, EventletWsgi, Gunicorn
from servers.uwsgi_server import Uwsgi

pytestmark = [pytest.mark.root, pytest.mark.server]
CONNECTIONS = 4
SERVERS: dict[str, Callable[[], HttpServer]] = {
    "sync": lambda: Gunicorn("sync", workers=4),
    "gthread": lambda: Gunicorn("gthread", threads=8),
    "eventlet-worker": lambda: Gunicorn("eventlet"),
    "eventlet": EventletWsgi,
    "aiohttp": AiohttpWeb,
    "uwsgi": lambda: Uwsgi(threads=8),
}
CLIENTS = ("requests", "urllib3", "aiohttp", "curl", "raw")
COUNT = 960


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("kind", SERVERS)
def test_requests_are_counted_as_the_access_log_says(
    start: Callable[..., RunningAgent], kind: str, client: str
) -> None:
    options = {"close": True} if kind == "sync" else {}  # that worker keeps no connection
    with SERVERS[kind]() as server, HttpLoad(client, server.target(), MARK, **options) as load:
        load.do("connect", count=CONNECTIONS // 2)  # half of them are older than the agent
        agent = start(server, load=1)
        load.do("connect", count=CONNECTIONS // 2)
        asking = "load"
        if client == "curl":
            asking = "curl"  # each session is a process of its own
            known = {"name": "scalpels_programs_processes", "program": asking}
            wait_until(lambda: agent.value(**known) == CONNECTIONS, 20, "every curl has its name")
        log, watched = server.counting(), Watched(agent)
        report = load.do("run", mix="api", count=COUNT)
        wait_until(lambda: logged(log) == report.requests, 20, "the access log has them all")
        seen, truth = watched.after(), routed(report.requests)
        assert report.unexpected == []
        assert seen.requests(asking, "client") == truth
        assert seen.complete(asking, "client") == COUNT
        assert in_flight(agent, "client", asking) == 0
        assert seen.requests("server", "server") == truth
        assert seen.complete("server", "server") == COUNT
        assert in_flight(agent, "server", "server") == 0
        assert lost(agent) == {}


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
@pytest.mark.parametrize("front", [Apache, Nginx])
def test_requests_are_counted_on_all_four_ends_of_two_hops(
    start: Callable[..., RunningAgent], front: type[Apache | Nginx], unix: bool
) -> None:
    with (
        Uwsgi("uwsgi", threads=8) as behind,
        front(behind, unix=unix) as server,
        HttpLoad("requests", server.target(), MARK) as load,
    ):
        load.do("connect", count=CONNECTIONS // 2)
        agent = start(behind, server, load=1)
        load.do("connect", count=CONNECTIONS // 2)
        log, watched = server.counting(), Watched(agent)
        report = load.do("run", mix="api", count=COUNT)
        wait_until(lambda: logged(log) == report.requests, 20, "the access log has them all")
        seen, truth = watched.after(), routed(report.requests)
        for program, side in (("load", "client"), ("front", "server"), ("front", "client"), ("server", "server")):
            assert seen.requests(program, side) == truth, f"{program} as {side}"
            assert in_flight(agent, side, program) == 0
        assert lost(agent) == {}


@pytest.mark.parametrize("mix", ["bodies", "old", "uploads", "chunked_uploads", "errors"])
@pytest.mark.parametrize("client", ["raw", "aiohttp", "requests"])
@pytest.mark.parametrize("kind", ["gthread", "aiohttp", "uwsgi"])
def test_every_way_in_which_bodies_and_answers_end_is_followed(
    start: Callable[..., RunningAgent], kind: str, client: str, mix: str
) -> None:
    if kind == "uwsgi" and mix == "chunked_uploads":
        pytest.xfail("uWSGI takes no bodies in chunks")
    with SERVERS[kind]() as server, HttpLoad(client, server.target(), MARK) as load:
        agent = start(server, load=1)
        load.do("connect", count=CONNECTIONS)
        log, watched = server.counting(), Watched(agent)
        try:
            report = load.do("run", mix=mix, count=240)
        except NotSupported as reason:
            pytest.xfail(f"{client}: {reason}")
        log.requests(240)
        seen, truth = watched.after(), routed(report.requests)
        assert report.unexpected == []
        assert seen.requests("load", "client") == truth
        assert seen.requests("server", "server") == truth
        assert in_flight(agent, "server", "server") == in_flight(agent, "client", "load") == 0
        assert lost(agent) == {}


@pytest.mark.parametrize(("client", "kind"), [("raw", "aiohttp"), ("aiohttp", "gthread")])
def test_the_answer_100_continue_is_none(start: Callable[..., RunningAgent], client: str, kind: str) -> None:
    with SERVERS[kind]() as server, HttpLoad(client, server.target(), MARK) as load:
        agent = start(server, load=1)
        load.do("connect", count=2)
        log, watched = server.counting(), Watched(agent)
        report = load.do("run", mix="announced", count=40)
        log.requests(40)
        seen, truth = watched.after(), routed(report.requests)
        assert truth == Counter({("PUT", 200, "/uploads/announced"): 40})
        for side, program in (("client", "load"), ("server", "server")):
            assert seen.requests(program, side) == truth
            assert seen.complete(program, side) == 40
            assert in_flight(agent, side, program) == 0
        assert lost(agent) == {}


@pytest.mark.parametrize(
    "options", [{"depth": 8}, {"depth": 16}, {"split": 1}, {"split": 7}, {"split": 100, "depth": 4}], ids=str
)
def test_pipelined_and_split_requests_are_told_apart(
    start: Callable[..., RunningAgent], options: dict[str, int]
) -> None:
    with AiohttpWeb() as server, HttpLoad("raw", server.target(), MARK, **options) as load:
        load.do("connect", count=CONNECTIONS // 2)
        agent = start(server, load=1)
        load.do("connect", count=CONNECTIONS // 2)
        log, watched = server.counting(), Watched(agent)
        report = load.do("run", mix="api", count=COUNT)
        log.requests(COUNT)
        seen, truth = watched.after(), routed(report.requests)
        assert seen.requests("load", "client") == truth
        assert seen.requests("server", "server") == truth
        assert lost(agent) == {}


def test_answers_beyond_sixteen_pipelined_requests_are_counted_without_their_times(
    start: Callable[..., RunningAgent],
) -> None:
    with AiohttpWeb() as server, HttpLoad("raw", server.target(), MARK, depth=24) as load:
        load.do("connect", count=1)
        agent = start(server, load=1)
        log, watched = server.counting(), Watched(agent)
        report = load.do("run", mix="small", count=240)
        log.requests(240)
        seen = watched.after()
        untimed = {
            side: seen.total("scalpels_http_untimed_answers_total", program=program, side=side)
            for side, program in (("client", "load"), ("server", "server"))
        }
        assert report.total == 240
        assert untimed["client"] == 240 // 24 * 8
        assert seen.requests("load", "client").total() + untimed["client"] == 240
        assert seen.requests("server", "server").total() + untimed["server"] == 240
        assert in_flight(agent, "server", "server") == in_flight(agent, "client", "load") == 0
        assert lost(agent) == {}


@pytest.mark.parametrize("front", [Apache, Nginx])
def test_answers_whose_bodies_are_sent_by_sendfile_are_counted(
    start: Callable[..., RunningAgent], front: type[Apache | Nginx]
) -> None:
    with front() as server, HttpLoad("raw", server.target(), MARK) as load:
        load.do("connect", count=CONNECTIONS // 2)
        agent = start(front=server, load=1)
        load.do("connect", count=CONNECTIONS // 2)
        log, watched = server.counting(), Watched(agent)
        report = load.do("run", mix="files", count=240)
        log.requests(240)
        seen, truth = watched.after(), routed(report.requests)
        assert seen.requests("load", "client") == truth
        assert seen.requests("front", "server") == truth
        assert lost(agent) == {}


def test_twenty_thousand_requests_of_three_clients_at_once_are_counted(start: Callable[..., RunningAgent]) -> None:
    with (
        Gunicorn("gthread", workers=2, threads=16) as server,
        HttpLoad("requests", server.target(), MARK) as one,
        HttpLoad("raw", server.target(unix=True), MARK) as two,
        HttpLoad("aiohttp", server.target(), MARK) as three,
    ):
        loads = (one, two, three)
        for load in loads:
            load.do("connect", count=3)
        agent = start(server, load=3)
        for load in loads:
            load.do("connect", count=3)
        log, watched = server.counting(), Watched(agent)
        for load in loads:
            load.say("run", mix="api", count=6_720)
        reports = [load.hear() for load in loads]
        asked = sum((report.requests for report in reports), start=Counter[Request]())
        assert asked.total() == 20_160
        assert log.requests(20_160) == asked
        seen, truth = watched.after(), routed(asked)
        assert seen.requests("load", "client") == truth
        assert seen.requests("server", "server") == truth
        assert seen.complete("load", "client") == seen.complete("server", "server") == 20_160
        assert in_flight(agent, "server", "server") == in_flight(agent, "client", "load") == 0
        assert lost(agent) == {}
