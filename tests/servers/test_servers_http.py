"""Real HTTP servers, alone and in front of a uWSGI, and the loads whose requests their access logs tell one by one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path

import pytest
from loads.load import HttpLoad, NotSupported
from loads.reports import HttpReport, read_times
from running import lives

from servers.front_servers import Apache, Nginx
from servers.http_server import HttpServer
from servers.python_servers import AiohttpWeb, EventletWsgi, Gunicorn
from servers.uwsgi_server import Uwsgi

pytestmark = pytest.mark.server
MIXES = {"api": 80, "bodies": 18, "uploads": 6, "errors": 10, "small": 40, "thinking": 8}
CLIENTS = ("raw", "urllib3", "requests", "aiohttp", "curl")
PAIRS = (("aiohttp", "curl"), ("urllib3", "requests"))  # each server is asked by one of them, and by raw


@pytest.fixture(autouse=True)
def modules() -> None:
    for name in ("aiohttp", "eventlet", "gunicorn", "urllib3"):
        if find_spec(name) is None:  # not imported: eventlet changes the process that does
            pytest.skip(f"needs {name} (tools/setup.sh test)")


@contextmanager
def alone(make: Callable[[], HttpServer]) -> Iterator[tuple[HttpServer, None]]:
    with make() as server:
        yield server, None


@contextmanager
def in_front(make: Callable[[Uwsgi], HttpServer]) -> Iterator[tuple[HttpServer, Uwsgi]]:
    with Uwsgi("uwsgi") as behind, make(behind) as server:
        yield server, behind


SERVERS = {
    "gunicorn-sync": lambda: alone(Gunicorn),
    "gunicorn-gthread": lambda: alone(lambda: Gunicorn("gthread")),
    "gunicorn-eventlet": lambda: alone(lambda: Gunicorn("eventlet")),
    "eventlet": lambda: alone(EventletWsgi),
    "aiohttp": lambda: alone(AiohttpWeb),
    "uwsgi-http11": lambda: alone(Uwsgi),
    "uwsgi-http": lambda: alone(lambda: Uwsgi("http")),
    "apache-uwsgi-unix": lambda: in_front(Apache),
    "apache-uwsgi-tcp": lambda: in_front(lambda behind: Apache(behind, unix=False)),
    "nginx-uwsgi-unix": lambda: in_front(Nginx),
    "nginx-uwsgi-tcp": lambda: in_front(lambda behind: Nginx(behind, unix=False)),
}


def run(server: HttpServer, client: str, mixes: dict[str, int], *, unix: bool = False, **options: object) -> HttpReport:
    """The report of a load, half of whose sessions are opened late."""
    with HttpLoad(client, server.target(unix=unix), **options) as load:
        report = load.do("connect", count=2)
        report.add(load.do("run", mix="small", count=4))
        report.add(load.do("connect", count=2))
        for mix, count in mixes.items():
            report.add(load.do("run", mix=mix, count=count))
        report.add(load.do("close"))
    assert report.unexpected == []
    return report


@pytest.mark.parametrize(("name", "clients"), list(zip(SERVERS, cycle(PAIRS), strict=False)))
def test_an_access_log_tells_every_request_and_the_server_leaves_nothing(name: str, clients: tuple[str, str]) -> None:
    mixes = dict(MIXES)
    if "uwsgi" not in name or "nginx" in name:
        mixes |= {"announced": 2, "chunked_uploads": 2}
    close = name == "uwsgi-http"
    with ExitStack() as stack:
        server, behind = stack.enter_context(SERVERS[name]())
        seen = server.processes()
        for client in clients:
            log, log_behind = server.counting(), behind and behind.counting()
            report = run(server, client, mixes, close=close)
            assert log.requests(report.total) == report.requests
            if log_behind is not None:
                assert log_behind.requests(report.total) == report.requests
        for unix in (False, True) if server.has_socket else (False,):
            log = server.counting()
            report = run(
                server, "raw", {**mixes, "old": 6}, unix=unix, close=close or (unix and name == "uwsgi-http11")
            )
            assert log.requests(report.total) == report.requests
    assert not [pid for pid in seen if lives(pid)]
    assert not server.folder.exists()


@pytest.mark.parametrize("make", [Apache, Nginx])
def test_files_that_are_sent_by_sendfile_are_told_too(make: Callable[[], HttpServer]) -> None:
    with make() as server:
        for client in ("raw", "aiohttp"):
            log = server.counting()
            with HttpLoad(client, server.target()) as load:
                report = load.do("connect", count=2)
                report.add(load.do("run", mix="files", count=24))
            assert report.unexpected == []
            assert log.requests(report.total) == report.requests
            assert report.body_bytes > 4 * 5_000_000


@pytest.mark.parametrize("name", ["gunicorn-eventlet", "eventlet", "aiohttp", "apache-uwsgi-unix", "nginx-uwsgi-unix"])
def test_pipelined_requests_are_all_answered_and_told(name: str) -> None:
    with SERVERS[name]() as (server, _):
        log = server.counting()
        report = run(server, "raw", {"api": 60, "small": 50, "errors": 15}, depth=5)
        assert log.requests(report.total) == report.requests
        assert report.connections["opened"] < 20


def test_requests_in_single_bytes_are_told_like_whole_ones() -> None:
    with Gunicorn("gthread") as server:
        log = server.counting()
        report = run(server, "raw", {"api": 16}, split=1)
        assert log.requests(report.total) == report.requests


def test_a_websocket_is_one_request_whatever_is_said_on_it() -> None:
    with AiohttpWeb() as server:
        log = server.counting()
        with HttpLoad("aiohttp", server.target()) as load:
            report = load.do("connect")
            report.add(load.do("websockets", count=3, messages=5))
        assert report.requests == {("GET", "/warm", 200): 1, ("GET", "/ws", 101): 3}
        assert log.requests(4) == report.requests


@pytest.mark.parametrize("client", CLIENTS)
def test_the_times_of_a_load_hold_the_servers_thinking(client: str, tmp_path: Path) -> None:
    file = tmp_path / "times"
    with Gunicorn("gthread") as server, HttpLoad(client, server.target()) as load:
        log = server.counting()
        report = load.do("connect", count=2)
        report.add(load.do("run", mix="thinking", count=20, seconds=0.02, times=str(file)))
        ((name, times),) = read_times(file).items()
        log.requests(report.total)
        assert name == "GET 200"
        assert len(times) == 20
        # The clock starts after the request is sent, when the server may already be at it.
        assert 19_500_000 < sorted(times)[10] < 200_000_000
        assert all(line.seconds >= 0.02 for line in log.lines() if line.path == "/thinking")


def test_connections_are_opened_before_they_are_used() -> None:
    with Gunicorn("gthread") as server:
        for unix in (False, True):
            with HttpLoad("raw", server.target(unix=unix)) as load:
                assert load.do("connect", count=3).connections == {"opened": 3}
                assert server.connections() == 3
            server.until_closed()


def test_what_a_client_cannot_do_is_said() -> None:
    with Gunicorn() as server, HttpLoad("curl", server.target()) as load, pytest.raises(NotSupported, match="no job"):
        load.do("websockets")


def test_eventlet_stays_out_of_the_tests_own_process() -> None:
    assert "eventlet" not in sys.modules
    assert "gunicorn" not in sys.modules
