"""A real Prometheus scrapes the running agent, and its query API returns what we know to be true."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from running import RunningAgent, wait_until

Start = Callable[..., RunningAgent]
Until = Callable[..., Any]
pytestmark = [pytest.mark.server, pytest.mark.root]  # every default tracer is expected to run


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Prometheus:
    def __init__(self, folder: Path, target: str) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        config = folder / "prometheus.yml"
        job = {
            "job_name": "scalpels",
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "static_configs": [{"targets": [target]}],
        }
        config.write_text(json.dumps({"scrape_configs": [job]}))
        self._log = (folder / "prometheus.log").open("wb")
        self.process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address={self.url.removeprefix('http://')}",
            ],
            stdout=self._log,
            stderr=self._log,
        )

    def query(self, expression: str) -> list[dict[str, Any]]:
        answer = requests.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=5).json()
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def number(self, expression: str) -> float | None:
        found = self.query(expression)
        return float(found[0]["value"][1]) if found else None

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self._log.close()


@pytest.fixture
def scraped(start_agent: Start, tmp_path: Path, workers: Path) -> Iterator[tuple[RunningAgent, Prometheus]]:
    if shutil.which("prometheus") is None:
        pytest.skip("needs Debian's package prometheus")
    config = (
        "tracers:\n"
        f"  honest:\n    command: [/usr/bin/python3, -S, {workers}/is_honest.py, honest]\n"
        "    format: samples\n    mode: ticked\n"
        "    metric: {name: scalpels_honest_events_total, type: counter, help: Events., labels: [kind]}\n"
    )
    agent = start_agent(config)
    prometheus = Prometheus(tmp_path, f"127.0.0.1:{agent.port}")
    yield agent, prometheus
    prometheus.close()


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
