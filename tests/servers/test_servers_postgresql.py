"""A real PostgreSQL, and the loads whose statements it counts to the unit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from running import lives

pytest.importorskip("psycopg", reason="needs psycopg (tools/setup.sh test)")

from loads.load import SqlLoad
from loads.reports import read_times

from servers.postgresql_server import PostgreSql

pytestmark = pytest.mark.server
MIXES = {"mixed": 200, "errors": 20, "transactions": 12, "traps": 14, "big": 4, "wide": 4, "prepared": 40}
CLEAN = {"transactions": 12, "traps": 14, "big": 4, "wide": 4, "plain": 100}  # nothing of it fails


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSql]:
    with PostgreSql(tls=True) as server:
        yield server


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
@pytest.mark.parametrize("client", ["psycopg", "asyncpg"])
def test_simple_queries_are_counted_alike_by_client_and_server(
    postgresql: PostgreSql, exact_sql: Callable[..., Any], client: str, unix: bool
) -> None:
    report, counts = exact_sql(postgresql, client, {**MIXES, "several": 12}, unix=unix, mode="simple")
    assert report.errors.keys() == {"42P01", "23505", "42601"}
    assert counts.verbs_by("shop") == counts.verbs
    assert counts.database["sessions"] == report.connections["opened"] == 4


@pytest.mark.parametrize(
    ("client", "mode"),
    [
        ("psycopg", "extended"),
        ("psycopg", "prepared"),
        ("psycopg", "cursor"),
        ("asyncpg", "extended"),
        ("asyncpg", "unnamed"),
        ("asyncpg", "prepared"),
    ],
)
def test_every_way_to_run_a_statement_is_counted_alike(
    postgresql: PostgreSql, exact_sql: Callable[..., Any], client: str, mode: str
) -> None:
    report, _ = exact_sql(postgresql, client, MIXES, mode=mode)
    assert report.errors.keys() == {"42P01", "23505", "42601"}
    assert report.prepared["execute"] >= 40
    assert (report.statements["FETCH"] > 400) == (mode == "cursor")


def test_a_pipeline_is_counted_alike(postgresql: PostgreSql, exact_sql: Callable[..., Any]) -> None:
    exact_sql(postgresql, "psycopg", CLEAN, mode="pipeline", depth=5)


@pytest.mark.parametrize("client", ["psycopg", "asyncpg"])
def test_what_is_encrypted_is_counted_alike(postgresql: PostgreSql, exact_sql: Callable[..., Any], client: str) -> None:
    exact_sql(postgresql, client, {"mixed": 48}, tls=True)


@pytest.mark.parametrize("threads", [4, 7])
def test_a_pool_of_sqlalchemy_and_postgresql_count_the_same_statements(postgresql: PostgreSql, threads: int) -> None:
    mixes = {mix: count for mix, count in MIXES.items() if mix != "prepared"}
    with postgresql.counting() as counts, SqlLoad("sqlalchemy", postgresql.target(), threads=threads) as load:
        report = load.do("connect", count=4)
        for mix, count in mixes.items():
            report.add(load.do("run", mix=mix, count=count))
        report.add(load.do("close"))
    assert report.unexpected == []
    assert counts.verbs == postgresql.countable(report)
    assert report.own["BEGIN"] > 100
    assert report.own["ROLLBACK"] > 100


def test_pg_stat_database_counts_the_transactions(postgresql: PostgreSql, exact_sql: Callable[..., Any]) -> None:
    report, counts = exact_sql(postgresql, "psycopg", {"transactions": 240}, autocommit=False)
    assert report.own["BEGIN"] > 0
    assert report.transactions["rolled back"] == 40
    assert counts.database["tup_inserted"] == report.statements["INSERT"] == 80
    assert counts.database["xact_rollback"] >= 40


def test_autocommitted_statements_are_transactions_of_their_own(
    postgresql: PostgreSql, exact_sql: Callable[..., Any]
) -> None:
    report, counts = exact_sql(postgresql, "psycopg", {"transactions": 120})
    assert counts.database["xact_rollback"] == report.transactions["rolled back"] == 20
    # Ten of `plain` by themselves, and one to log in on each connection.
    assert counts.database["xact_commit"] == report.transactions["committed"] + 10 + 4


def test_connections_that_are_refused_or_lost_are_told(postgresql: PostgreSql, until: Callable[..., Any]) -> None:
    for client in ("psycopg", "asyncpg"):
        with SqlLoad(client, postgresql.target()) as load:
            report = load.do("connect", count=3)
            report.add(load.do("refuse", count=2))
            assert report.failed == {"28P01": {"CONNECT": 2}}
            until(lambda: postgresql.connections() == 3, 10, "the refused ones are closed")
            report.add(load.do("drop", count=2))
            report.add(load.do("close"))
            assert report.connections == {"opened": 3, "refused": 2, "dropped": 2, "closed": 1}
        postgresql.until_closed()


def test_users_are_kept_apart(postgresql: PostgreSql) -> None:
    postgresql.add_user("nova")
    with postgresql.counting() as counts:
        for user, count in (("nova", 30), ("shop", 20)):
            with SqlLoad("psycopg", postgresql.target(user=user)) as load:
                load.do("connect")
                load.do("run", mix="plain", count=count)
    assert counts.verbs_by("nova") == {"SELECT": 30}
    assert counts.verbs_by("shop") == {"SELECT": 20}


def test_reading_the_truth_leaves_nothing_in_it(postgresql: PostgreSql) -> None:
    with postgresql.counting() as counts:
        pass
    assert counts.calls == counts.database == {}


@pytest.mark.parametrize("client", ["psycopg", "asyncpg"])
def test_the_times_of_a_load_hold_the_servers_thinking(postgresql: PostgreSql, tmp_path: Path, client: str) -> None:
    file = tmp_path / "times"
    with SqlLoad(client, postgresql.target()) as load:
        load.do("connect", count=2)
        for seconds in (0.0001, 0.02):
            load.do("run", mix="thinking", count=20, seconds=seconds, times=str(file))
            (thinking,) = read_times(file).values()
            assert len(thinking) == 20
            assert min(thinking) >= seconds * 1e9
            assert sorted(thinking)[10] < (seconds + 0.03) * 1e9


def test_postgresql_ends_and_leaves_nothing() -> None:
    with PostgreSql(work_mem="5MB") as server:
        assert server.query("SHOW work_mem") == [("5MB",)]
        with SqlLoad("psycopg", server.target(unix=True)) as load:
            load.do("connect", count=3)
            assert server.connections() == 3
            seen = server.processes()
            assert len(seen) > 3
        server.until_closed()
    assert not [pid for pid in seen if lives(pid)]
    assert not server.folder.exists()
