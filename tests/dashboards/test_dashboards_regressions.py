"""Alerts on regressions over simulated days and weeks: they fire in time on what became slower, and on nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import promtool
import pytest
from running import ROOT
from simulated import DAY, HOUR, MINUTE, Traffic, daily, histogram

from dashboards.board import Regression
from dashboards.boards import find_boards
from dashboards.declared import metrics
from dashboards.regressions import RATIO, alert_name

BOARDS = find_boards(metrics())
REGRESSIONS = [(board.name, one) for board in BOARDS for one in board.regressions]
# The queries of the overview that a test cannot ask of the real thing within a minute.
OVERVIEW = [
    re.sub(r"\$(job|program)", ".*", target["expr"])
    for panel in json.loads((ROOT / "dashboards" / "json" / "scalpels-overview.json").read_text())["panels"]
    for target in panel.get("targets", [])
    if "scalpels:slowdown:" in target["expr"]
]
SQL = next(one for _, one in REGRESSIONS if one.metric == "scalpels_sql_seconds")
# What deployments make slower first: a method of an RPC server.
FIRST = next((pair for pair in REGRESSIONS if pair[1].metric == "scalpels_rpc_server_seconds"), ("sql", SQL))
FIRING = 'count by (statistic, window) (ALERTS{{alertname="{}",alertstate="firing",statistic=~"{}"}})'
MEAN_FAST = {"statistic": "mean", "window": "10m"}


def labels(regression: Regression, **more: str) -> dict[str, str]:
    """A series of the histogram on one machine."""
    told = {label: f"some-{label}" for label in regression.by}
    return {"job": "scalpels", "instance": "node-1:10919", **told, **more}


def usual(regression: Regression, times: Callable[[float], float] = lambda _: 1.0, noise: float = 0.03) -> Traffic:
    """Traffic with daily swings, well above the minimum and the floor; `times` as slow as usual."""
    mean = daily(20 * regression.floor, 40 * regression.floor)
    rate = daily(max(1.0, 5 * regression.minimum), max(10.0, 50 * regression.minimum))
    return Traffic(rate, lambda t: mean(t) * times(t), noise)


def at(moment: float) -> str:
    return f"{moment:.0f}s"


def expect(alert: str, moment: float, *fired: Mapping[str, str], of: str = ".*") -> dict[str, Any]:
    """Exactly these fire, of the statistics that are asked for."""
    samples = [{"labels": "{" + ",".join(f'{key}="{one[key]}"' for key in one) + "}", "value": 1} for one in fired]
    return {"expr": FIRING.format(alert, of), "eval_time": at(moment), "exp_samples": samples}


def never(alert: str, until: float, since: float = 0, states: str = "firing") -> dict[str, Any]:
    span = at(until - since)
    return {
        "expr": f'count_over_time(ALERTS{{alertname="{alert}",alertstate=~"{states}"}}[{span}])',
        "eval_time": at(until),
        "exp_samples": [],
    }


def one_series(query: str, moment: float) -> dict[str, Any]:
    """The query gives one."""
    return {"expr": f"count({query})", "eval_time": at(moment), "exp_samples": [{"labels": "{}", "value": 1}]}


def run(
    folder: Path,
    board: str,
    regression: Regression,
    traffic: Traffic,
    seconds: float,
    step: int,
    *checks: dict[str, Any],
    evaluated: int = 0,
) -> str:
    """Scraped every `step` seconds, and the rules evaluated as often or every so many."""
    series = histogram(regression.metric, labels(regression), traffic, seconds, step)
    return promtool.run(
        folder,
        board,
        (f"-slower-{regression.metric}",),
        [{"interval": f"{step}s", "input_series": series, "promql_expr_test": list(checks)}],
        f"{evaluated or step}s",
    )


def test_a_slow_down_by_30_percent_fires_within_ten_minutes_and_not_before_it_began(tmp_path: Path) -> None:
    board, regression = FIRST
    alert = alert_name(regression.metric)
    began = 3 * DAY + 2 * HOUR
    assert not run(
        tmp_path,
        board,
        regression,
        usual(regression, lambda t: 1.3 if t > began else 1.0),
        began + 10 * MINUTE,
        2 * MINUTE,
        never(alert, began + 4 * MINUTE),
        expect(alert, began + 10 * MINUTE, MEAN_FAST, of="mean"),
    )


@pytest.mark.parametrize(("board", "regression"), REGRESSIONS, ids=[one.metric for _, one in REGRESSIONS])
def test_each_histogram_that_became_half_as_slow_again_is_told(
    board: str, regression: Regression, tmp_path: Path
) -> None:
    """In its file of rules, with its labels; and it stands in the overview's tables."""
    alert = alert_name(regression.metric)
    began = 3 * DAY + 10 * HOUR
    told = labels(regression)
    lines = ",".join(f'{name}="{value}"' for name, value in told.items() if name != "instance")
    worse = f'{RATIO}{{{lines},metric="{regression.metric}",tracer="{board}"}} > 1.3'
    assert len(OVERVIEW) == 4
    assert not run(
        tmp_path,
        board,
        regression,
        usual(regression, lambda t: 1.5 if t > began else 1.0),
        began + 70 * MINUTE,
        5 * MINUTE,
        never(alert, began),
        {
            "expr": f"count by ({', '.join(regression.by)}, severity) "
            f'(ALERTS{{alertname="{alert}",window="10m",statistic="mean"}})',
            "eval_time": at(began + 15 * MINUTE),
            "exp_samples": [
                {
                    "labels": "{"
                    + ",".join(f'{name}="{told[name]}"' for name in regression.by)
                    + f',severity="{regression.severity}"}}',
                    "value": 1,
                }
            ],
        },
        *(one_series(query, began + 70 * MINUTE) for query in (worse, *OVERVIEW)),
    )


def test_two_weeks_with_days_weekends_noise_a_nightly_job_and_a_weekly_backup_are_silent(tmp_path: Path) -> None:
    """After a first week in which it learns; not so much as pending at any moment. The job begins within ten minutes of
    three and makes things half as slow again; the backup of Sunday noon makes them three times as slow; on weekends
    there is next to no traffic."""
    mean = daily(0.004, 0.010, weekend=0.7)

    def slower(t: float) -> float:
        day, hour = divmod(t, DAY)
        begins = 3 * HOUR + (day * 7 % 3) * 5 * MINUTE
        job = 1.5 if begins <= hour < begins + 20 * MINUTE else 1.0
        backup = 3.0 if day % 7 == 6 and 12 * HOUR <= hour < 13 * HOUR else 1.0
        return mean(t) * job * backup

    traffic = Traffic(daily(0.5, 20, weekend=0.15), slower, noise=0.10)
    whole = 21 * DAY
    alert = alert_name(SQL.metric)
    present = one_series(RATIO, whole - 12 * HOUR)
    silent = never(alert, whole, 7 * DAY, "pending|firing")
    assert not run(tmp_path, "sql", SQL, traffic, whole, 5 * MINUTE, silent, present, evaluated=10 * MINUTE)


def test_nothing_is_told_before_there_are_three_days_to_compare_with(tmp_path: Path) -> None:
    began = 2 * DAY + 6 * HOUR
    traffic = usual(SQL, lambda t: 4.0 if t > began else 1.0)
    assert not run(
        tmp_path, "sql", SQL, traffic, began + 2 * HOUR, 5 * MINUTE, never(alert_name(SQL.metric), began + 2 * HOUR)
    )


def test_nothing_is_told_below_the_minimum_of_traffic_or_within_the_floor(tmp_path: Path) -> None:
    began = 3 * DAY + 6 * HOUR
    alert = alert_name(SQL.metric)
    rare = Traffic(lambda _: SQL.minimum / 2, lambda t: SQL.floor * (90 if t > began else 30))
    fast = Traffic(lambda _: 50.0, lambda t: SQL.floor / 100 * (9 if t > began else 3))
    for traffic in (rare, fast):
        assert not run(tmp_path, "sql", SQL, traffic, began + HOUR, 5 * MINUTE, never(alert, began + HOUR))


def test_a_tail_that_became_slower_is_told_by_the_99th_percentile_where_the_mean_is_within_bounds(
    tmp_path: Path,
) -> None:
    began = 3 * DAY + 12 * HOUR
    steady = Traffic(lambda _: 20.0, lambda _: 0.010, 0.02, slow=lambda t: 2.1 if t > began else 1.0)
    assert not run(
        tmp_path,
        "sql",
        SQL,
        steady,
        began + 15 * MINUTE,
        5 * MINUTE,
        never(alert_name(SQL.metric), began),
        expect(alert_name(SQL.metric), began + 15 * MINUTE, {"statistic": "p99", "window": "10m"}),
    )
