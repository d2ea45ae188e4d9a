"""Connections that end while requests wait: killed workers, reloads, clients that give up, connections too old.

Each end sees a request answered or unanswered, as the clients and access logs say, and none stays in flight.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from callers import lost
from http_truth import MARK, Counted, Watched, in_flight, logged, routed
from loads.load import HttpLoad
from running import RunningAgent
from servers.front_servers import Nginx
from servers.http_server import HttpServer
from servers.python_servers import Gunicorn
from servers.uwsgi_server import Uwsgi

pytestmark = [pytest.mark.root, pytest.mark.server]
Until = Callable[..., object]
UNANSWERED = "scalpels_http_unanswered_total"
ENDS = (("client", "load"), ("server", "server"))
HOPS = (("client", "load"), ("server", "front"), ("client", "front"), ("server", "server"))
BEHIND: dict[str, Callable[[], Gunicorn | Uwsgi]] = {
    "gunicorn": lambda: Gunicorn("gthread", threads=8),
    "uwsgi": lambda: Uwsgi("uwsgi", threads=4),
}


def workers(server: HttpServer) -> list[int]:
    return [pid for pid in server.processes() if pid != server.pid]


def kill(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def none_in_flight(agent: RunningAgent, until: Until, *ends: tuple[str, str]) -> None:
    for side, program in ends:
        until(lambda s=side, p=program: in_flight(agent, s, p) == 0, 15, f"none in flight at {program} as {side}")


@pytest.mark.parametrize("kind", BEHIND)
def test_what_killed_workers_leave_on_unix_sockets_is_unanswered_and_no_longer_in_flight(
    start: Callable[..., RunningAgent], until: Until, kind: str
) -> None:
    with BEHIND[kind]() as behind, Nginx(behind) as server, HttpLoad("raw", server.target(), MARK) as load:
        load.do("connect", count=4)
        agent = start(behind, server, load=1)
        watched = Watched(agent)
        load.say("run", mix="thinking", count=4, seconds=20)
        for side, program in HOPS:
            until(lambda s=side, p=program: in_flight(agent, s, p) == 4, 5, f"four in flight at {program} as {side}")
        kill(workers(behind))
        report = load.hear()
        none_in_flight(agent, until, *HOPS)
        seen, refused = watched.after(), Counted({("GET", 502, "/thinking"): 4})
        assert routed(report.requests) == refused
        for side, program, answers, unanswered in (
            ("client", "load", refused, 0),
            ("server", "front", refused, 0),
            ("client", "front", Counted(), 4),
            ("server", "server", Counted(), 4),
        ):
            assert seen.requests(program, side) == answers
            assert seen.total(UNANSWERED, program=program, side=side) == unanswered
        assert lost(agent) == {}


@pytest.mark.parametrize("kind", BEHIND)
def test_every_hop_stays_exact_while_workers_are_killed_under_load(
    start: Callable[..., RunningAgent], until: Until, kind: str
) -> None:
    with (
        BEHIND[kind]() as behind,
        Nginx(behind) as server,
        HttpLoad("raw", server.target(), MARK, endures=True) as load,
    ):
        load.do("connect", count=4)
        agent = start(behind, server, load=1)
        log, watched = server.counting(), Watched(agent)
        load.say("run", mix="api", count=960)
        for some in (200, 400, 600):
            log.requests(some)
            kill(workers(behind)[:1])
        report = load.hear()
        until(lambda: logged(log) == report.requests, 20, "the access log has them all")
        none_in_flight(agent, until, *HOPS)
        seen, truth = watched.after(), routed(report.requests)
        assert seen.requests("load", "client") == seen.requests("front", "server") == truth
        assert report.total == 960
        answered = seen.requests("front", "client")
        assert answered == seen.requests("server", "server")
        assert answered.total() + seen.total(UNANSWERED, program="front", side="client") == 960
        assert all(status == 502 for _, status, _ in truth - answered)
        assert lost(agent) == {}


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
@pytest.mark.parametrize("how", ["reload", "kill"])
def test_gunicorn_stays_exact_while_its_workers_are_replaced_under_load(
    start: Callable[..., RunningAgent], until: Until, how: str, unix: bool
) -> None:
    with (
        Gunicorn("gthread", threads=8) as server,
        HttpLoad("raw", server.target(unix=unix), MARK, endures=True) as load,
    ):
        load.do("connect", count=4)
        agent = start(server, load=1)
        log, watched = server.counting(), Watched(agent)
        load.say("run", mix="api", count=960)
        for some in (200, 400, 600):
            log.requests(some)
            before = workers(server)
            os.kill(server.pid, signal.SIGHUP) if how == "reload" else kill(before[:1])
            until(lambda old=before: set(workers(server)) - set(old), 10, "another worker")
        report = load.hear()
        none_in_flight(agent, until, *ENDS)
        seen, truth = watched.after(), routed(report.requests)
        assert report.total + report.unanswered == 960
        assert seen.requests("load", "client") == truth
        assert seen.total(UNANSWERED, program="load", side="client") == report.unanswered
        assert seen.requests("server", "server") == truth
        assert seen.total(UNANSWERED, program="server", side="server") <= report.unanswered
        if how == "reload":
            assert log.requests(report.total) == report.requests
            assert seen.total(UNANSWERED, program="server", side="server") == 0
        assert lost(agent) == {}


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_a_request_that_is_given_up_is_unanswered_where_nobody_has_said_or_heard_the_answer(
    start: Callable[..., RunningAgent], until: Until, unix: bool
) -> None:
    with (
        Gunicorn("gthread", threads=8) as server,
        HttpLoad("raw", server.target(unix=unix), MARK, endures=True, timeout=0.3) as load,
    ):
        load.do("connect", count=4)
        agent = start(server, load=1)
        log, watched = server.counting(), Watched(agent)
        report = load.do("run", mix="thinking", count=4, seconds=1)
        log.requests(4)  # it has tried to answer
        none_in_flight(agent, until, *ENDS)
        seen = watched.after()
        assert report.unanswered == 4
        assert seen.requests("load", "client") == Counted()
        assert seen.total(UNANSWERED, program="load", side="client") == 4
        # A Unix socket refuses an answer that nobody will read. TCP takes it, unless it hears of that while it sends.
        answered = seen.requests("server", "server").total()
        assert answered + seen.total(UNANSWERED, program="server", side="server") == 4
        assert not answered or not unix


@pytest.mark.parametrize("client", ["urllib3", "raw"])
def test_kept_connections_that_the_server_closes_lose_and_make_up_nothing(
    start: Callable[..., RunningAgent], until: Until, client: str
) -> None:
    options = {"endures": True} if client == "raw" else {}  # it asks on, where urllib3 looks first
    with Gunicorn("gthread", keepalive=1) as server, HttpLoad(client, server.target(), MARK, **options) as load:
        agent = start(server, load=1)
        load.do("connect", count=4)  # not before: what asks nothing for a second is closed too
        until(lambda: load.do("run", mix="small", count=4).total == 4, 10, "every session has an open connection")
        until(lambda: server.connections() == 0, 10, "it has closed them")
        watched = Watched(agent)
        report = load.do("run", mix="small", count=40)
        none_in_flight(agent, until, *ENDS)
        seen, truth = watched.after(), routed(report.requests)
        assert report.unanswered == (4 if client == "raw" else 0)
        assert seen.requests("load", "client") == seen.requests("server", "server") == truth
        assert seen.total(UNANSWERED, program="load", side="client") == report.unanswered
        assert seen.total(UNANSWERED, program="server", side="server") == 0
        assert lost(agent) == {}
