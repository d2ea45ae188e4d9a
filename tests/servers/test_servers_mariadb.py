"""A real MariaDB, and the loads whose statements it counts to the unit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from running import lives

pytest.importorskip("pymysql", reason="needs pymysql (tools/setup.sh test)")

from loads.load import NotSupported, SqlLoad
from loads.reports import read_times

from servers.mariadb_server import MariaDb

pytestmark = pytest.mark.server
MIXES = {"mixed": 200, "errors": 20, "transactions": 12, "traps": 14, "big": 4, "wide": 4}


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDb]:
    with MariaDb(tls=True, performance_schema=True) as server:
        yield server


@pytest.mark.parametrize("client", ["pymysql", "mysqlclient", "connector"])
@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_a_client_and_mariadb_count_the_same_statements(
    mariadb: MariaDb, exact_sql: Callable[..., Any], client: str, unix: bool
) -> None:
    report, counts = exact_sql(mariadb, client, {**MIXES, "several": 12}, unix=unix)
    assert report.errors.keys() == {"1146", "1062", "1064"}
    assert counts.users["shop"]["TOTAL_CONNECTIONS"] == report.connections["opened"] == 4
    assert counts.users["shop"]["COMMIT_TRANSACTIONS"] > 0
    assert report.rows > 4 * 10_000


@pytest.mark.parametrize("threads", [4, 7])
def test_a_pool_of_sqlalchemy_and_mariadb_count_the_same_statements(mariadb: MariaDb, threads: int) -> None:
    with mariadb.counting() as counts, SqlLoad("sqlalchemy", mariadb.target(), threads=threads) as load:
        report = load.do("connect", count=4)
        for mix, count in MIXES.items():
            report.add(load.do("run", mix=mix, count=count))
        report.add(load.do("close"))
    assert report.unexpected == []
    assert counts.verbs == mariadb.countable(report)
    assert report.own["ROLLBACK"] > 100
    assert report.connections == {"opened": 4, "closed": 4}


@pytest.mark.parametrize("client", ["pymysql", "mysqlclient", "connector"])
def test_transactions_without_a_begin_are_counted_alike(
    mariadb: MariaDb, exact_sql: Callable[..., Any], client: str
) -> None:
    report, _ = exact_sql(mariadb, client, {"transactions": 24}, autocommit=False)
    assert report.statements["BEGIN"] == 0
    assert report.transactions == {"committed": 4, "rolled back": 4}


@pytest.mark.parametrize("client", ["pymysql", "mysqlclient", "connector"])
def test_what_is_encrypted_is_counted_alike(mariadb: MariaDb, exact_sql: Callable[..., Any], client: str) -> None:
    _, counts = exact_sql(mariadb, client, {"mixed": 48}, tls=True)
    assert counts.status["Ssl_finished_accepts"] == 4


def test_prepared_statements_are_commands_of_the_protocol(mariadb: MariaDb, exact_sql: Callable[..., Any]) -> None:
    report, counts = exact_sql(mariadb, "connector", {"prepared": 200})
    assert counts.prepared == report.prepared
    assert report.prepared["execute"] == 200
    assert report.prepared["prepare"] == report.prepared["close"] == 20  # five for each of four connections
    assert report.failed == {"1062": {"INSERT": 40}}


def test_a_procedures_own_statements_are_counted_by_the_server_alone(mariadb: MariaDb) -> None:
    with mariadb.counting() as counts, SqlLoad("pymysql", mariadb.target()) as load:
        report = load.do("connect", count=1)
        report.add(load.do("run", mix="results", count=10, rows=7))
    assert report.statements["CALL"] == 10
    assert report.rows == 70
    assert counts.verbs - report.statements == {"SELECT": 10}


def test_connections_that_are_refused_or_lost_are_told_by_both(mariadb: MariaDb, until: Callable[..., Any]) -> None:
    before = aborted(mariadb)
    with mariadb.counting() as counts, SqlLoad("pymysql", mariadb.target()) as load:
        report = load.do("connect", count=5)
        report.add(load.do("refuse", count=3))
        report.add(load.do("drop", count=2))
        report.add(load.do("close"))
    assert report.connections == {"opened": 5, "refused": 3, "dropped": 2, "closed": 3}
    assert report.failed == {"1045": {"CONNECT": 3}}
    assert counts.users["shop"]["ACCESS_DENIED"] == 3
    until(lambda: aborted(mariadb) == before + 2, 10, "MariaDB has noticed the two that were lost")


def aborted(mariadb: MariaDb) -> int:
    return int(mariadb.query("SHOW GLOBAL STATUS LIKE 'Aborted_clients'")[0][1])


def test_what_a_client_cannot_do_is_said(mariadb: MariaDb) -> None:
    with SqlLoad("mysqlclient", mariadb.target()) as load:
        load.do("connect")
        with pytest.raises(NotSupported, match="cannot be cut off"):
            load.do("drop")


def test_users_and_the_performance_schema_are_kept_apart(mariadb: MariaDb) -> None:
    mariadb.add_user("nova")
    with mariadb.counting() as counts:
        for user, count in (("nova", 30), ("shop", 20)):
            with SqlLoad("pymysql", mariadb.target(user=user)) as load:
                load.do("connect")
                load.do("run", mix="plain", count=count)
                load.do("close")
        mariadb.until_closed()
    assert counts.users["nova"]["SELECT_COMMANDS"] == 30
    assert counts.users["shop"]["SELECT_COMMANDS"] == 20
    assert mariadb.statements_of("nova") == {"sql/select": 30, "sql/set_option": 1, "com/Quit": 1}


def test_reading_the_truth_leaves_nothing_in_it(mariadb: MariaDb) -> None:
    with mariadb.counting() as counts:
        pass
    assert counts.verbs == counts.prepared == {}
    assert {user for user, moved in counts.users.items() if moved} <= {"root"}


@pytest.mark.parametrize("at", ["call", "socket"])
def test_the_times_of_a_load_hold_the_servers_thinking(mariadb: MariaDb, tmp_path: Path, at: str) -> None:
    file = tmp_path / "times"
    with SqlLoad("pymysql", mariadb.target(), at=at) as load:
        load.do("connect", count=2)
        load.do("run", mix="thinking", count=20, seconds=0.005, times=str(file))
        thinking = read_times(file)
        load.do("run", mix="transactions", count=16, seconds=0.005, times=str(file))
        transactions = read_times(file)
    assert thinking.keys() == {"SELECT"}
    assert len(thinking["SELECT"]) == 20
    # Beside the socket the clock may start when the server is already at it.
    assert 4_900_000 < sorted(thinking["SELECT"])[10] < 50_000_000
    assert min(transactions["transaction:committed"] + transactions["transaction:rolled back"]) >= 5_000_000


def test_mariadb_ends_and_leaves_nothing() -> None:
    with MariaDb(userstat=False, max_connections=17, wait_timeout=99) as server:
        assert server.query("SELECT @@max_connections, @@wait_timeout, @@userstat, @@performance_schema") == [
            (17, 99, 0, 0)
        ]
        with SqlLoad("pymysql", server.target(unix=True)) as load:
            load.do("connect", count=3)
            assert server.connections() == 3
        server.until_closed()
        pid = server.pid
    assert not lives(pid)
    assert not server.folder.exists()
