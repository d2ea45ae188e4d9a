"""What is encrypted with libssl is counted as what is not: to the unit, at both ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from callers import lost
from loads.load import SqlLoad
from running import RunningAgent, quiet_but
from servers.mariadb_server import MariaDb
from sql_truth import MARK, RULES, Watched

pytestmark = [pytest.mark.root, pytest.mark.server]
SETTINGS = f"{RULES}{quiet_but('sql', 'wire')}  sql: {{}}\n  wire: {{tls: true}}\n"


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDb]:
    with MariaDb(tls=True) as server:
        yield server


@pytest.fixture
def start(
    kernel_programs: None, start_agent: Callable[..., RunningAgent], until: Callable[..., object]
) -> Callable[[], RunningAgent]:
    def start() -> RunningAgent:
        agent = start_agent(SETTINGS)
        until(lambda: agent.value("scalpels_worker_up", tracer="sql") == 1, 40, "sql is up")
        until(lambda: (agent.value("scalpels_wire_tls_files") or 0) > 0, 30, "libssl is found")
        return agent

    return start


def test_statements_over_tls_are_counted_as_mariadb_counts_them(
    mariadb: MariaDb, start: Callable[[], RunningAgent]
) -> None:
    with SqlLoad("pymysql", mariadb.target(), MARK, tls=True) as load:
        load.do("connect", count=2)
        agent = start()
        load.do("connect", count=2)
        with mariadb.counting() as counts:
            watched = Watched(agent)
            report = load.do("run", mix="mixed", count=2000)
            seen = watched.after()
        assert report.unexpected == []
        assert counts.verbs == report.statements
        for program, side in (("load", "client"), ("mariadbd", "server")):
            assert seen.verbs(program, side) == report.statements
            assert seen.codes(program, side) == report.errors
        assert lost(agent) == {}
