"""SQL that is encrypted with libssl is counted as what is not: to the unit, at both ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from callers import lost
from loads.load import SqlLoad
from running import RunningAgent, quiet_but, wait_until
from servers.mariadb_server import MariaDb
from servers.postgresql_server import PostgreSql
from sql_truth import MARK, RULES, Watched, statements

pytestmark = [pytest.mark.root, pytest.mark.server]
SETTINGS = f"{RULES}{quiet_but('sql', 'wire')}  sql: {{}}\n  wire: {{tls: true}}\n"
# Python's ssl on a socket; libmariadb; Python's, headers read apart; libpq, its wheel's libssl; Python's, in memory.
COUNTS = {"pymysql": 4_000, "mysqlclient": 2_000, "connector": 1_000, "psycopg": 4_000, "asyncpg": 2_000}
MYSQL = ("pymysql", "mysqlclient", "connector")
FILES = 2  # Debian's libssl, which servers and Python have in common, and the wheel's
UNREADABLE = "scalpels_sql_unreadable_connections_total"
CONNECTIONS = "scalpels_sql_connections_total"
Loads = dict[str, SqlLoad]


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, MariaDb | PostgreSql]]:
    with MariaDb(tls=True) as mariadb, PostgreSql(tls=True) as postgresql:
        yield {"mariadbd": mariadb, "postgres": postgresql}


@pytest.fixture(scope="module")
def loads(servers: dict[str, MariaDb | PostgreSql]) -> Iterator[Loads]:
    """With connections that are older than the agent."""
    with ExitStack() as stack:
        found = {}
        for client in COUNTS:
            target = servers[server_of(client)].target()
            found[client] = stack.enter_context(SqlLoad(client, target, MARK, tls=True))
            found[client].do("connect", count=2)
        yield found


@pytest.fixture(scope="module")
def agent(kernel_programs: None, loads: Loads, agent_of_module: Callable[..., RunningAgent]) -> RunningAgent:
    agent = agent_of_module(SETTINGS, "sql")
    wait_until(lambda: agent.value("scalpels_programs_processes", program="load") == len(loads), 30, "all have names")
    wait_until(lambda: (agent.value("scalpels_wire_tls_files") or 0) >= FILES, 10, "every libssl has its probes")
    return agent


def server_of(client: str) -> str:
    return "mariadbd" if client in MYSQL else "postgres"


@pytest.mark.parametrize("client", COUNTS)
def test_statements_are_counted_as_the_server_counts_them(
    servers: dict[str, MariaDb | PostgreSql], loads: Loads, agent: RunningAgent, client: str
) -> None:
    server, load = servers[server_of(client)], loads[client]
    load.do("connect", count=2)
    with server.counting() as counts:
        watched = Watched(agent)
        report = load.do("run", mix="mixed", count=COUNTS[client])
        seen = watched.after()
    assert report.unexpected == []
    assert counts.verbs == server.countable(report)
    for program, side in (("load", "client"), (server_of(client), "server")):
        assert statements(seen.verbs(program, side), client) == report.statements
        assert seen.codes(program, side) == report.errors
    assert lost(agent) == {}


@pytest.mark.parametrize("client", ["pymysql", "psycopg", "asyncpg"])
def test_connections_are_opened_refused_and_not_unreadable(loads: Loads, agent: RunningAgent, client: str) -> None:
    load = loads[client]
    watched = Watched(agent)
    load.do("connect", count=5)
    report = load.do("refuse", count=3)
    load.do("close")
    seen = watched.after()
    for name, side in (("load", "client"), (server_of(client), "server")):
        assert seen.gained(CONNECTIONS, "result", program=name, side=side) == Counter(OPENED=5, REFUSED=3)
        assert seen.gained(UNREADABLE, "reason", program=name, side=side) == Counter()
    assert seen.codes("load", "client") == report.errors
    assert lost(agent) == {}


def test_a_connection_that_ends_with_a_statement_unanswered_is_lost(
    servers: dict[str, MariaDb | PostgreSql], loads: Loads, agent: RunningAgent
) -> None:
    load = loads["pymysql"]
    load.do("connect", count=1)
    watched = Watched(agent)
    load.say("run", mix="thinking", count=1, seconds=10)
    asked = "SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'"
    wait_until(lambda: servers["mariadbd"].query(asked) == [(1,)], 5, "the server is at it")
    load.kill()
    assert watched.after().gained(CONNECTIONS, "result", program="load", side="client") == Counter(LOST=1)
