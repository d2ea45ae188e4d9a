"""HTTP that is encrypted with libssl is counted as what is not: to the unit, at both ends."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from callers import lost
from http_truth import MARK, Watched, in_flight, logged, routed
from loads.load import HttpLoad
from running import RunningAgent, quiet_but, wait_until
from servers.front_servers import Apache, Nginx
from servers.http_server import HttpServer
from servers.python_servers import AiohttpWeb, EventletWsgi, Gunicorn
from servers.uwsgi_server import Uwsgi

pytestmark = [pytest.mark.root, pytest.mark.server]
SERVERS: dict[str, Callable[[], HttpServer]] = {
    "sync": lambda: Gunicorn("sync", workers=2, tls=True),
    "gthread": lambda: Gunicorn("gthread", threads=8, tls=True),
    "eventlet": lambda: EventletWsgi(tls=True),
    "aiohttp": lambda: AiohttpWeb(tls=True),
}
FRONTS = {"apache": Apache, "nginx": Nginx}
PAIRS = [("sync", "requests"), ("gthread", "urllib3"), ("eventlet", "requests"), ("aiohttp", "aiohttp")]
PAIRS += [("apache", "requests"), ("nginx", "urllib3")]
COUNT = 480
UNREADABLE = "scalpels_http_unreadable_connections_total"
Servers = dict[str, HttpServer]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with ExitStack() as stack:
        behind = stack.enter_context(Uwsgi("uwsgi", threads=8))
        fronts = {name: stack.enter_context(make(behind, tls=True)) for name, make in FRONTS.items()}
        yield {name: stack.enter_context(make()) for name, make in SERVERS.items()} | fronts


@pytest.fixture(scope="module")
def loads(servers: Servers) -> Iterator[dict[tuple[str, str], HttpLoad]]:
    """By server and client, with connections that are older than the agent."""
    with ExitStack() as stack:
        found = {}
        for kind, client in PAIRS:
            server = servers[kind]
            options = {"close": True} if kind == "sync" else {}  # that worker keeps no connection
            found[kind, client] = stack.enter_context(HttpLoad(client, server.target(), MARK, **options))
            found[kind, client].do("connect", count=2)
        yield found


@pytest.fixture(scope="module")
def agent(
    kernel_programs: None,
    servers: Servers,
    loads: dict[tuple[str, str], HttpLoad],
    agent_of_module: Callable[..., RunningAgent],
) -> RunningAgent:
    rules = [f"{{name: load, cmdline: '{MARK}'}}", "{name: wget, cmdline: '^wget '}"]
    for name, server in servers.items():
        titled = "^nginx: |" if name == "nginx" else ""  # its workers have titles of their own
        rules.append(f"{{name: {name}, cmdline: '{titled}{server.folder}'}}")
    programs = "programs:\n" + "".join(f"  - {rule}\n" for rule in rules)
    agent = agent_of_module(f"{programs}{quiet_but('http', 'wire')}  http: {{}}\n  wire: {{tls: true}}\n", "http")
    wait_until(lambda: agent.value("scalpels_programs_processes", program="load") == len(loads), 30, "all have names")
    wait_until(lambda: (agent.value("scalpels_wire_tls_files") or 0) >= 1, 10, "libssl has its probes")
    return agent


@pytest.mark.parametrize(("kind", "client"), PAIRS)
def test_requests_are_counted_as_the_access_log_says(
    servers: Servers, loads: dict[tuple[str, str], HttpLoad], agent: RunningAgent, kind: str, client: str
) -> None:
    server, load = servers[kind], loads[kind, client]
    load.do("connect", count=2)
    log, watched = server.counting(), Watched(agent)
    report = load.do("run", mix="api", count=COUNT)
    wait_until(lambda: logged(log) == report.requests, 20, "the access log has them all")
    load.do("close")
    seen, truth = watched.after(), routed(report.requests)
    assert report.unexpected == []
    for program, side in (("load", "client"), (kind, "server")):
        assert seen.requests(program, side) == truth
        assert seen.complete(program, side) == COUNT
        assert in_flight(agent, side, program) == 0
        assert seen.total(UNREADABLE, program=program) == 0
    assert lost(agent) == {}


def test_a_curl_that_is_younger_than_its_name_is_counted_at_the_server(servers: Servers, agent: RunningAgent) -> None:
    server = servers["gthread"]
    with HttpLoad("curl", server.target(), MARK) as load:
        load.do("connect", count=2)
        log, watched = server.counting(), Watched(agent)
        report = load.do("run", mix="api", count=COUNT)
        wait_until(lambda: logged(log) == report.requests, 20, "the access log has them all")
        seen = watched.after()
    assert seen.requests("gthread", "server") == routed(report.requests)


def test_a_client_with_another_library_is_unreadable_and_its_server_is_read(
    servers: Servers, agent: RunningAgent
) -> None:
    """Debian's wget is linked with GnuTLS."""
    server = servers["gthread"]
    watched = Watched(agent)
    address = f"{server.target().url}/wget?size=1\n"
    command = ["wget", "-q", "-O", "/dev/null", f"--ca-certificate={server.certificate}", "-i", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as wget:
        wait_until(lambda: agent.value("scalpels_programs_processes", program="wget") == 1, 20, "it has its name")
        wget.communicate(3 * address, timeout=20)
    assert wget.returncode == 0
    seen = watched.after()
    assert seen.total("scalpels_http_server_seconds_count", program="gthread") == 3
    assert seen.total(UNREADABLE, program="gthread") == 0
    assert seen.total("scalpels_http_client_seconds_count", program="wget") == 0
    assert seen.total(UNREADABLE, program="wget", reason="tls") == 1
