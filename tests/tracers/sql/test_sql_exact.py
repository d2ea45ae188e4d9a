"""What the real agent counts of SQL equals what the servers and the clients count themselves, to the unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from callers import lost
from loads.load import SqlLoad
from running import RunningAgent
from servers.mariadb_server import MariaDb
from servers.postgresql_server import PostgreSql
from sql_truth import MARK, SETTINGS, Watched, known_load, statements

pytestmark = [pytest.mark.root, pytest.mark.server]
CONNECTIONS = 4
MYSQL_CLIENTS = {"pymysql": 40_000, "mysqlclient": 30_000, "connector": 2_000, "sqlalchemy": 3_000}
BATCH = 10_000
POSTGRESQL_CLIENTS = {"psycopg": 30_000, "asyncpg": 10_000, "sqlalchemy": 3_000}


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDb]:
    with MariaDb() as server:
        yield server


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSql]:
    with PostgreSql() as server:
        yield server


@pytest.fixture(scope="module")
def agent(kernel_programs: None, agent_of_module: Callable[..., RunningAgent]) -> RunningAgent:
    return agent_of_module(SETTINGS, "sql")


@pytest.fixture
def start(
    kernel_programs: None, start_agent: Callable[..., RunningAgent], until: Callable[..., object]
) -> Callable[[], RunningAgent]:
    def start() -> RunningAgent:
        agent = start_agent(SETTINGS)
        until(lambda: agent.value("scalpels_worker_up", tracer="sql") == 1, 40, "sql is up")
        until(lambda: agent.value("scalpels_programs_processes", program="load") == 1, 30, "the load has its name")
        return agent

    return start


@pytest.mark.parametrize("client", MYSQL_CLIENTS)
def test_statements_are_counted_as_mariadb_counts_them(
    mariadb: MariaDb, start: Callable[[], RunningAgent], client: str
) -> None:
    with SqlLoad(client, mariadb.target(), MARK) as load:
        load.do("connect", count=CONNECTIONS // 2)  # half of them are older than the agent
        agent = start()
        load.do("connect", count=CONNECTIONS // 2)
        with mariadb.counting() as counts:
            watched = Watched(agent)
            report = load.do("run", mix="mixed", count=MYSQL_CLIENTS[client])
            seen = watched.after()  # before the server's counters are read, which are statements too
        assert report.unexpected == []
        assert counts.verbs == report.statements
        for program, side in (("load", "client"), ("mariadbd", "server")):
            assert statements(seen.verbs(program, side), client) == report.statements
            assert seen.codes(program, side) == report.errors
        assert lost(agent) == {}


@pytest.mark.parametrize("client", POSTGRESQL_CLIENTS)
def test_statements_are_counted_as_postgresql_counts_them(
    postgresql: PostgreSql, start: Callable[[], RunningAgent], client: str
) -> None:
    with SqlLoad(client, postgresql.target(), MARK) as load:
        load.do("connect", count=CONNECTIONS // 2)
        agent = start()
        load.do("connect", count=CONNECTIONS // 2)
        with postgresql.counting() as counts:
            watched = Watched(agent)
            report = load.do("run", mix="mixed", count=POSTGRESQL_CLIENTS[client])
            seen = watched.after()
        assert report.unexpected == []
        assert counts.verbs == postgresql.countable(report)
        for program, side in (("load", "client"), ("postgres", "server")):
            assert seen.verbs(program, side) == report.statements
            assert seen.codes(program, side) == report.errors
        assert lost(agent) == {}


@pytest.mark.parametrize("mix", ["errors", "prepared", "transactions", "traps", "big", "wide"])
@pytest.mark.parametrize("client", ["pymysql", "connector", "psycopg", "asyncpg"])
def test_every_kind_of_statement_is_counted(
    mariadb: MariaDb,
    postgresql: PostgreSql,
    agent: RunningAgent,
    until: Callable[..., object],
    client: str,
    mix: str,
) -> None:
    server = mariadb if client in MYSQL_CLIENTS else postgresql
    with known_load(client, server.target(unix=mix == "traps"), agent, until) as load:
        load.do("connect", count=CONNECTIONS)
        watched = Watched(agent)
        report = load.do("run", mix=mix, count={"big": 8, "wide": 4}.get(mix, 400))
        seen = watched.after()
        program = "mariadbd" if server is mariadb else "postgres"
        assert statements(seen.verbs("load", "client"), client) == report.statements
        assert statements(seen.verbs(program, "server"), client) == report.statements
        assert seen.codes("load", "client") == report.errors
        for side, name in (("client", "load"), ("server", program)):
            ended = seen.gained("scalpels_sql_transaction_seconds_count", "outcome", program=name, side=side)
            truth = {key.replace(" ", "_").upper(): n for key, n in report.transactions.items()}
            if mix == "transactions":
                assert ended == Counter(truth)
        load.do("close")  # which is what tells the end of the last answers, where their bytes do not
        seen = watched.after()
        for side, name in (("client", "load"), ("server", program)):
            assert seen.completed(name, side) == seen.verbs(name, side)
        assert lost(agent) == {}


@pytest.mark.parametrize("client", ["pymysql", "psycopg"])
def test_connections_are_opened_refused_and_lost(
    mariadb: MariaDb, postgresql: PostgreSql, agent: RunningAgent, until: Callable[..., object], client: str
) -> None:
    server = mariadb if client == "pymysql" else postgresql
    with known_load(client, server.target(), agent, until) as load:
        watched = Watched(agent)
        load.do("connect", count=5)
        report = load.do("refuse", count=3)
        seen = watched.after()
        gained = seen.gained("scalpels_sql_connections_total", "result", program="load", side="client")
        assert gained == Counter(OPENED=5, REFUSED=3)
        assert seen.codes("load", "client") == report.errors


@pytest.mark.parametrize("system", ["mysql", "postgresql"])
def test_encrypted_connections_are_counted_as_unreadable_and_never_guessed_at(
    agent: RunningAgent, until: Callable[..., object], system: str
) -> None:
    client = "pymysql" if system == "mysql" else "psycopg"
    with (
        (MariaDb if system == "mysql" else PostgreSql)(tls=True) as server,
        known_load(client, server.target(), agent, until, tls=True) as load,
    ):
        watched = Watched(agent)
        load.do("connect", count=2)
        load.do("run", mix="mixed", count=500)
        name = "scalpels_sql_unreadable_connections_total"
        seen = watched.after()
        assert seen.gained(name, "reason", program="load", side="client") == Counter(TLS=2)
        assert seen.verbs("load", "client") == Counter()


@pytest.mark.parametrize("client", ["psycopg", "asyncpg"])
def test_batches_of_thousands_are_counted_to_the_unit(
    postgresql: PostgreSql, agent: RunningAgent, until: Callable[..., object], client: str
) -> None:
    """executemany: thousands of messages in one send, and in one read of the answers."""
    with known_load(client, postgresql.target(), agent, until) as load:
        load.do("connect")
        with postgresql.counting() as counts:
            watched = Watched(agent)
            for text in ("INSERT INTO items (id, n) VALUES (?, 1)", "DELETE FROM items WHERE id = ?"):
                load.do("batch", text=text, count=BATCH)
            seen = watched.after()
        for verb in ("insert", "delete"):
            assert counts.verbs[verb.upper()] == BATCH
            for program, side in (("load", "client"), ("postgres", "server")):
                assert seen.verbs(program, side)[verb.upper()] == BATCH
        assert lost(agent) == {}
