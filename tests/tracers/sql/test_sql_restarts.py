"""What is missed when the worker ends or the tracer is stopped is what happened in the meantime, and nothing else."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable

import pytest
from running import RunningAgent
from servers.mariadb_server import MariaDb
from servers.postgresql_server import PostgreSql
from sql_truth import SETTINGS, Watched, known_load

pytestmark = [pytest.mark.root, pytest.mark.server]


@pytest.mark.parametrize("client", ["pymysql", "psycopg"])
def test_connections_that_never_close_are_followed_again(
    kernel_programs: None, start_agent: Callable[..., RunningAgent], until: Callable[..., object], client: str
) -> None:
    agent = start_agent(SETTINGS)
    up = lambda: agent.value("scalpels_worker_up", tracer="sql") == 1  # noqa: E731 - asked three times
    until(up, 40, "sql is up")
    with (
        (MariaDb if client == "pymysql" else PostgreSql)() as server,
        known_load(client, server.target(), agent, until) as load,
    ):
        load.do("connect", count=3)

        def counts_exactly() -> None:
            watched = Watched(agent)
            load.do("run", mix="plain", count=1000)
            assert watched.after().verbs("load", "client") == Counter(SELECT=1000)

        counts_exactly()
        wire = agent.tracer("wire")["pid"]
        os.kill(wire, signal.SIGKILL)
        until(lambda: agent.tracer("wire")["pid"] not in (None, wire) and up(), 40, "its worker is there again")
        counts_exactly()
        agent.post("/api/v1/tracers/sql/stop", {})
        until(lambda: agent.tracer("sql")["state"] == "stopped", 20, "sql is stopped")
        load.do("run", mix="plain", count=1000)  # nobody counts
        agent.post("/api/v1/tracers/sql/start", {})
        until(up, 40, "sql is up again")
        counts_exactly()
        agent.post("/-/reload")
        counts_exactly()
