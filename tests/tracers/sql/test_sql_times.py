"""The times that the real agent shows of statements are those that the client itself has measured."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from callers import Series, series_of, settled
from loads.reports import read_times
from running import RunningAgent
from servers.mariadb_server import MariaDb
from servers.postgresql_server import PostgreSql
from sql_truth import SETTINGS, known_load

pytestmark = [pytest.mark.root, pytest.mark.server]
# Server think time in seconds → how often.
THINKING = {0.000_05: 60, 0.000_5: 60, 0.005: 40, 0.05: 20, 0.3: 5, 5.0: 1}
QUANTILES = (0.5, 0.9, 0.99)
METRICS = ("scalpels_sql_seconds", "scalpels_sql_complete_seconds")


def buckets(found: Series, metric: str, program: str, side: str) -> dict[float, float]:
    """Bound → observations at or below it, of SELECT."""
    wanted = {("program", program), ("side", side), ("verb", "select")}
    return {
        float(dict(labels)["le"]): value
        for (name, labels), value in found.items()
        if name == f"{metric}_bucket" and wanted <= set(labels)
    }


def quantile(counts: dict[float, float], share: float) -> float:
    """The bound of the bucket that it lies in."""
    total = counts[math.inf]
    return min(bound for bound, count in counts.items() if count >= share * total)


@pytest.mark.parametrize("client", ["pymysql", "psycopg"])
def test_quantiles_are_within_one_bucket_of_the_clients(
    kernel_programs: None,
    start_agent: Callable[..., RunningAgent],
    until: Callable[..., object],
    tmp_path: Path,
    client: str,
) -> None:
    agent = start_agent(SETTINGS)
    until(lambda: agent.value("scalpels_worker_up", tracer="sql") == 1, 40, "sql is up")
    kind, program = (MariaDb, "mariadbd") if client == "pymysql" else (PostgreSql, "postgres")
    with kind() as server, known_load(client, server.target(), agent, until) as load:
        load.do("connect", count=1)
        before = series_of(agent, "scalpels_sql")
        took: list[float] = []
        for seconds, times in THINKING.items():
            file = tmp_path / f"{seconds}"
            load.do("run", mix="thinking", count=times, seconds=seconds, times=str(file))
            took += [nanoseconds / 1e9 for nanoseconds in read_times(file)["SELECT"]]
        after = settled(agent, "scalpels_sql")
    took.sort()
    for metric, (side, name) in itertools.product(METRICS, (("client", "load"), ("server", program))):
        older = buckets(before, metric, name, side)
        gained = {b: count - older.get(b, 0) for b, count in buckets(after, metric, name, side).items()}
        assert gained[math.inf] == sum(THINKING.values())
        for share in QUANTILES:
            truth = took[max(0, math.ceil(share * len(took)) - 1)]
            assert abs(math.log2(quantile(gained, share)) - math.ceil(math.log2(truth))) <= 1, (metric, side, share)
