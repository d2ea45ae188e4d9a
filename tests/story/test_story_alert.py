"""The demo, told to its end: the alert fires for what became slower, every dashboard shows it, and nothing is left.

Takes six minutes, most of which the shipped rules want to be sure: `make test-demo`.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from running import ROOT, lives, processes_of, wait_until
from servers.server import free_port
from web_browser import Browser

from demo.methods import METHOD

pytestmark = [pytest.mark.root, pytest.mark.server]
Until = Callable[..., Any]
PAGES = {path.name: json.loads(path.read_text()) for path in sorted((ROOT / "dashboards" / "json").glob("*.json"))}
LONGEST = 480.0  # seconds until the alert fires

# Panels that show nothing in the demo, by how their title begins, and why. Everything else must show something.
QUIET = {
    "Answers without a time": "nobody sends requests before the answers to those before",
    "Bytes of TCP ports": "the tracer port is started by hand",
    "Calls not answered in time": "all are answered",
    "Calls sent or delivered again": "none is",
    "Closed channels and connections": "none is closed for an error",
    "Connections that cannot be read": "none is encrypted",
    "Connections that went over to another protocol": "none does",
    "Events that were lost": "none is",
    "Heartbeats missed": "none is",
    "Messages delivered again": "none is",
    "Notifications": "nobody sends any",
    "Packets": "needs Open vSwitch, or the tracer port",
    "RPC calls that nobody answered": "all are answered",
    "Received at the ports": "needs Open vSwitch",
    "Replies that": "none is late",
    "Requests that nobody answered": "all are answered",
    "Requests and connections turned away": "none is",
    "Sent from the ports": "needs Open vSwitch",
    "Starts and stops by hand": "there are none",
    "Time to the broker's confirm": "the channels were opened before the agent came",
    "Tracers that do not run": "all run",
    "What broke the contract": "nothing does",
    "Workers ended": "none has",
}


@dataclass
class Told:
    """The demo after its alert."""

    process: subprocess.Popen[str]
    address: str
    said: Path
    folder: Path
    tree: list[int]

    def ask(self, query: str) -> list[dict[str, Any]]:
        answer = requests.get(f"{self.address}/api/v1/query", params={"query": query}, timeout=10).json()
        assert answer["status"] == "success", answer
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("demo")
    folder.chmod(0o755)
    for parent in list(folder.parents)[:2]:
        parent.chmod(0o755)  # pytest's own, which MariaDB's user has to pass
    said = folder.parent / "said.txt"
    ports = {name: free_port() for name in ("prometheus", "agent", "api", "grafana")}
    with said.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "demo", *(f"--{name}-port={port}" for name, port in ports.items())],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(folder), "PYTHONWARNINGS": "ignore"},
            stdout=log,
            stderr=log,
            text=True,
        )

    def fired() -> bool:
        if process.poll() is not None:
            pytest.fail(said.read_text())
        return "ALERT ScalpelsRpcServerSlower" in said.read_text()

    try:
        wait_until(fired, LONGEST, "the alert")
        yield Told(process, f"http://127.0.0.1:{ports['prometheus']}", said, folder, processes_of(process.pid))
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def test_it_fires_for_the_method_that_became_slower_and_for_no_other(told: Told) -> None:
    """Its callers are slower too, and may say so: nothing else, by the mean. (A p99 is the machine's.)"""
    firing = [one["metric"] for one in told.ask('ALERTS{alertstate="firing",statistic!="p99"}')]
    server = [one for one in firing if one["alertname"] == "ScalpelsRpcServerSlower"]
    assert {(one["program"], one["method"]) for one in server} == {("cloud-compute", METHOD)}
    assert "critical" in {one["severity"] for one in server}
    for one in firing:
        assert one.get("method") == METHOD or (one.get("method"), one.get("route")) == ("POST", "/v2.1/servers"), one


def test_it_says_what_happens_and_that_the_past_is_made_up(told: Told) -> None:
    said = told.said.read_text()
    for words in ("made up", "shipped ones", f"{METHOD} of cloud-compute takes 60% longer", "docs/runbooks/Scalpels"):
        assert words in said
    assert f"{told.address}/user/index.html" in said


def plain(expr: str) -> str:
    for name, value in (("$__rate_interval", "3m"), ("$__range", "10m")):
        expr = expr.replace(name, value)
    return re.sub(r"\$(job|instance|program)\b", ".*", expr)


def has_data(told: Told, panel: dict[str, Any]) -> bool:
    """Of a heatmap one of the targets, for classic or for native histograms; of others each."""
    found = [
        any(math.isfinite(float(one["value"][1])) for one in told.ask(plain(target["expr"])))
        for target in panel["targets"]
    ]
    return any(found) if panel["type"] == "heatmap" else all(found)


def test_every_panel_has_data_but_those_whose_reason_stands_here(told: Told) -> None:
    panels = [(page["title"], one) for page in PAGES.values() for one in page["panels"] if one["type"] != "row"]
    empty = {(title, panel["title"]) for title, panel in panels if not has_data(told, panel)}
    unexplained = {(title, panel) for title, panel in empty if not panel.startswith(tuple(QUIET))}
    assert not unexplained
    assert len(panels) - len(empty) > 100


@pytest.mark.parametrize("name", PAGES)
def test_the_page_draws_every_panel_that_has_data(name: str, told: Told, tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium")
    with Browser(chromium, tmp_path / "profile") as browser:
        browser.page(f"{told.address}/user/index.html#board={name}&range=15m")
        browser.until(f"document.body && (document.body.dataset.drawn || '').startsWith({json.dumps(name)})", 60)
        sections = "[...document.querySelectorAll('section')]"
        drawn = browser.run(f"{sections}.filter((one) => one.querySelector('canvas, td')).map((one) => one.id)")
        said = browser.run("[...document.querySelectorAll('.empty')].map((one) => one.textContent)")
    assert set(said) <= {"No data"}, "an error of Prometheus or of the page"
    panels = [panel for panel in PAGES[name]["panels"] if panel["type"] != "row"]
    wanted = {f"panel-{one['id']}" for one in panels if has_data(told, one)}
    assert wanted <= set(drawn)


def test_nothing_is_left_of_it_after_ctrl_c(told: Told, until: Until) -> None:
    """The last test: it ends what the others look at."""
    assert len(told.tree) > 8
    told.process.send_signal(signal.SIGINT)
    assert told.process.wait(60) == 0
    until(lambda: not [pid for pid in told.tree if lives(pid)], 10, "every process is gone")
    until(lambda: list(told.folder.iterdir()) == [], 10, "its folder is gone")
