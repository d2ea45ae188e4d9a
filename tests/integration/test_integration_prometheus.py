"""A real Prometheus scrapes the running agent, and its query API returns what we know to be true."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_server import Prometheus
from running import RunningAgent, wait_until

Start = Callable[..., RunningAgent]
Until = Callable[..., Any]
pytestmark = [pytest.mark.server, pytest.mark.root]  # every default tracer is expected to run


@pytest.fixture
def scraped(
    start_agent: Start, start_prometheus: Callable[[str], Prometheus], workers: Path
) -> tuple[RunningAgent, Prometheus]:
    config = (
        "tracers:\n"
        f"  honest:\n    command: [/usr/bin/python3, -S, {workers}/is_honest.py, honest]\n"
        "    format: samples\n    mode: ticked\n"
        "    metric: {name: scalpels_honest_events_total, type: counter, help: Events., labels: [kind]}\n"
    )
    agent = start_agent(config)
    return agent, start_prometheus(f"127.0.0.1:{agent.port}")


def test_prometheus_scrapes_the_agent_and_its_queries_agree(
    scraped: tuple[RunningAgent, Prometheus], until: Until
) -> None:
    agent, prometheus = scraped
    up = 'up{job="scalpels"}'
    until(lambda: prometheus.number(up) == 1, 30)
    until(lambda: (prometheus.number("scalpels_honest_events_total{kind='a'}") or 0) >= 5, 30)
    # One tick a scrape and two events of kind b for each of kind a, at the same moment.
    ratio = "scalpels_honest_events_total{kind='b'} / ignoring(kind) scalpels_honest_events_total{kind='a'}"
    assert prometheus.number(ratio) == 2
    samples = prometheus.number("scrape_samples_scraped{job='scalpels'}")
    until(lambda: prometheus.number(up) == 1)
    assert samples == prometheus.number("scrape_samples_post_metric_relabeling{job='scalpels'}")
    assert prometheus.number("count(scalpels_tracer_state == 1)") == len(agent.get("/api/v1/tracers").json()["tracers"])
    assert prometheus.number("count by () (scalpels_build_info)") == 1
    for tracer in ("system", "program", "honest"):
        assert prometheus.number(f"scalpels_worker_up{{tracer='{tracer}'}}") == 1
    memory = int(next(x for x in Path("/proc/meminfo").read_text().splitlines() if x.startswith("MemTotal")).split()[1])
    assert prometheus.number("scalpels_system_memory_size_bytes") == memory * 1024
    until(lambda: prometheus.number("rate(scalpels_program_cpu_seconds_total[5s]) >= 0") is not None, 15)
    assert prometheus.query("count by (__name__) ({job='scalpels'}) == 0") == []


def test_promtool_accepts_metrics_without_a_warning(scraped: tuple[RunningAgent, Prometheus], until: Until) -> None:
    agent, _ = scraped
    until(lambda: agent.value("scalpels_honest_events_total", kind="a"))
    until(lambda: agent.value("scalpels_worker_up", tracer="program") == 1)
    text = agent.get().text
    ended = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")


def test_both_formats_say_the_same(scraped: tuple[RunningAgent, Prometheus]) -> None:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
    from prometheus_client.parser import text_string_to_metric_families as parse_text

    agent, _ = scraped
    wait_until(lambda: agent.value("scalpels_worker_up", tracer="program") == 1)
    text = agent.get(Accept="text/plain;version=0.0.4")
    modern = agent.get(Accept="application/openmetrics-text;version=1.0.0")
    assert text.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert modern.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    names = {s.name for f in parse_text(text.text) for s in f.samples}
    assert names == {s.name for f in parse_openmetrics(modern.text) for s in f.samples}
