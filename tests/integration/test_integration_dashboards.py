"""Every query of every dashboard and every rule, asked of a real Prometheus that scrapes the real agent under load."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from at_work import CASE, at_work, do
from loads.load import SqlLoad
from native_target import NativeTarget
from prometheus_server import Prometheus
from running import ROOT, RunningAgent, wait_until
from servers.mariadb_server import MariaDb

from dashboards.boards import find_boards
from dashboards.declared import metrics
from scalpels_exporter.catalog import find

pytestmark = [pytest.mark.server, pytest.mark.root]
PAGES = [json.loads(path.read_text()) for path in sorted((ROOT / "dashboards" / "json").glob("*.json"))]
RULES = sorted((ROOT / "dashboards" / "rules").glob("*.yaml"))
CASES = [path for name in sorted(find()) if (path := ROOT / "tests" / "tracers" / name / "case.py").is_file()]
UNHAPPY = Path(__file__).parent / "unhappy_case.py"
SECONDS = 60

# What cannot be had here, by how its name begins, and why; tracers say theirs in tests/tracers/NAME/absent.yaml.
NOT_HERE = {
    "scalpels:slowdown:": "needs three days of history, which tests/dashboards simulates",
    "ALERTS": "no alert fires within a minute",
    **{
        name: reason
        for path in sorted((ROOT / "tests" / "tracers").glob("*/absent.yaml"))
        for name, reason in yaml.safe_load(path.read_text()).items()
    },
}


def settings(workers: Path, port: int) -> str:
    """Every tracer of the catalog that can run here is on; one script fails, and one prints garbage."""
    return (
        "programs:\n"
        "  - {name: busy, cmdline: '^[^ ]*python[^ ]* .*mark-of-the-busy'}\n"
        "  - {name: load, cmdline: '^[^ ]*python[^ ]* .*mark-of-the-load'}\n"
        "budgets: {overhead: 1}\n"
        "tracers:\n"
        f"  port: {{port: {port}}}\n"
        "  sql: {digests: 50}\n"
        "  broken: {command: /bin/false}\n"
        f"  garbage:\n    command: [/usr/bin/python3, -S, {workers}/prints_garbage.py, garbage]\n"
        "    format: samples\n    mode: ticked\n"
        "    metric: {name: scalpels_garbage_events_total, type: counter, help: Events., labels: [kind]}\n"
    )


def plain(expr: str) -> str:
    """As Grafana asks it with everything chosen, over a time that fits a test."""
    for name, value in (("$__rate_interval", "10s"), ("$__range", "30s")):
        expr = expr.replace(name, value)
    return re.sub(r"\$(job|instance|program)\b", ".*", expr)


def finite(result: list[dict[str, Any]]) -> bool:
    """Whether one of the values is a number, or a native histogram."""
    return any("histogram" in one or math.isfinite(float(one["value"][1])) for one in result)


def is_shown(panel: dict[str, Any], prometheus: Prometheus) -> bool:
    """Whether each query of the panel has a value; of a heatmap, that for classic or that for native histograms."""
    found = [finite(prometheus.ask("query", query=plain(one["expr"]))["result"]) for one in panel["targets"]]
    return any(found) if panel["type"] == "heatmap" else all(found)


def can_be_had(panel: dict[str, Any]) -> bool:
    queries = " ".join(target["expr"] for target in panel["targets"])
    return not any(re.search(rf"\b{name}", queries) for name in NOT_HERE)


def test_every_panel_shows_something_and_every_rule_can_be_evaluated(
    kernel_programs: None,
    start_agent: Callable[..., RunningAgent],
    start_prometheus: Callable[..., Prometheus],
    workers: Path,
) -> None:
    with ExitStack() as stack:
        mariadb = stack.enter_context(MariaDb())
        agent = start_agent(settings(workers, mariadb.target().port))
        prometheus = start_prometheus(f"127.0.0.1:{agent.port}", RULES)
        load = stack.enter_context(SqlLoad("pymysql", mariadb.target()))
        busy = [stack.enter_context(at_work(CASE, case, "mark-of-the-busy")) for case in (*CASES, UNHAPPY)]
        for name in ("sql", "http", "fs", "syscalls", "program", "system"):
            wait_until(lambda name=name: agent.value("scalpels_worker_up", tracer=name) == 1, 40, f"{name} is up")
        wait_until(
            lambda: agent.value("scalpels_programs_processes", program="busy") == len(busy), 20, "it has its name"
        )
        load.do("connect", count=2)
        empty = {
            f"{page['title']}: {panel['title']} ({panel['type']})": panel
            for page in PAGES
            for panel in page["panels"]
            if panel["type"] != "row" and can_be_had(panel)
        }
        assert len(empty) > 100

        def work() -> bool:
            load.do("run", mix="mixed", count=200)
            load.do("refuse")
            for process in busy:
                do(process)
            agent.post("/api/v1/tracers/port/start", {"reason": "test"})
            for title in [title for title, panel in empty.items() if is_shown(panel, prometheus)]:
                del empty[title]
            assert not empty, sorted(empty)
            return True

        wait_until(work, SECONDS, "a value in every panel")
        for path in RULES:
            for group in yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["groups"]:
                for rule in group["rules"]:
                    prometheus.ask("query", query=rule["expr"])
        loaded = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
        assert len(loaded) > 150
        assert [rule["name"] for rule in loaded if rule.get("lastError")] == []


def example(pattern: str) -> str:
    """A text that the pattern of a panel matches."""
    text = pattern.partition("|")[0].replace(".", "0")
    assert re.fullmatch(pattern, text)
    return text


@pytest.fixture
def native() -> Iterator[NativeTarget]:
    """Every histogram that a panel shows as a native one, with labels that the panel chooses."""
    declared = metrics()
    panels = [panel for board in find_boards(declared) for panel in board.panels if panel.metric in declared]
    series = {
        (metric.name, tuple((label, example(panel.where.get(label, "x"))) for label in metric.labels))
        for metric in declared.values()
        if metric.kind == "histogram"
        for panel in panels
        if panel.metric == metric.name
    }
    target = NativeTarget(sorted(series))
    yield target
    target.close()


def test_what_is_asked_of_classic_histograms_is_answered_by_native_ones(
    native: NativeTarget, start_prometheus: Callable[..., Prometheus]
) -> None:
    """In each panel that shows nothing but a histogram, and in each rule that is recorded of one."""
    prometheus = start_prometheus(native.address, RULES, "--enable-feature=native-histograms")
    panels = {
        f"{page['title']}: {panel['title']} ({panel['type']})": panel
        for page in PAGES
        for panel in page["panels"]
        if panel["type"] != "row"
        and all("histogram_" in t["expr"] or "increase(" in t["expr"] for t in panel["targets"])
    }
    panels = {title: panel for title, panel in panels.items() if "_total" not in json.dumps(panel["targets"])}
    recorded = {
        rule["record"]: rule["expr"]
        for path in RULES
        for group in yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["groups"]
        for rule in group["rules"]
        if "_seconds_bucket[" in rule["expr"] or "_seconds_count[" in rule["expr"]
        if "record" in rule
        and not re.search(r"[:\w]+:rate1?[0-9]+[mh] >=", rule["expr"])  # those need what is recorded
    }
    assert len(panels) > 25
    assert len(recorded) > 30

    def answered() -> bool:
        silent = [title for title, panel in panels.items() if not is_shown(panel, prometheus)]
        silent += [name for name, expr in recorded.items() if not finite(prometheus.query(expr))]
        assert not silent, silent
        return True

    wait_until(answered, 40, "an answer to each")
    assert prometheus.query('{__name__=~".+_bucket"}') == []
    # Eight buckets with as many observations each, from 2**(-33/4) to 2**(-25/4) s.
    p99 = prometheus.number("histogram_quantile(0.99, sum(rate(scalpels_sql_seconds[10s])))")
    assert p99 is not None
    assert 2 ** (-26 / 4) < p99 <= 2 ** (-25 / 4)
