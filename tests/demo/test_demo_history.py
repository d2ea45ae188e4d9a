"""The demo's week that never was: in the names that the shipped rules look back at, as promtool takes it."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from running import ROOT

from dashboards.boards import find_boards
from dashboards.declared import metrics
from dashboards.thresholds import DAYS
from demo import history
from demo.children import Trouble

NAME = "job_program_method:scalpels_rpc_server_seconds:mean10m"
LABELS = {"job": "scalpels", "program": "cloud-compute", "method": "build_instance"}


class Told:
    """Answers as Prometheus does, the same to every question."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, query: str) -> list[dict[str, object]]:
        self.asked.append(query)
        return [{"metric": LABELS, "value": [0, "0.04"]}]


def test_everything_that_a_regression_is_compared_by_is_asked_for_and_named_as_the_rules_look_for_it() -> None:
    told = Told()
    found = history.present(told)
    looked_at = {
        rule["record"].removesuffix(":past")
        for path in (ROOT / "dashboards" / "rules").glob("*.yaml")
        for group in yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["groups"]
        for rule in group["rules"]
        if rule.get("record", "").endswith(":past")
    }
    assert found.keys() == looked_at
    assert len(told.asked) == 4 * sum(len(board.regressions) for board in find_boards(metrics()))
    assert found[NAME] == [(LABELS, 0.04)]


def test_each_of_the_past_days_has_this_hour_and_no_moment_lies_ahead() -> None:
    now = time.time()
    lines = list(history.openmetrics({NAME: [(LABELS, 0.04)]}, now))
    assert (lines[0], lines[-1]) == (f"# TYPE {NAME} gauge\n", "# EOF\n")
    samples = [(float(value), int(moment)) for _, value, moment in (line.rsplit(" ", 2) for line in lines[1:-1])]
    assert all(abs(value / 0.04 - 1) < 0.06 for value, _ in samples)
    assert max(moment for _, moment in samples) < now
    for day in range(1, DAYS + 1):
        around = now - day * history.DAY
        there = [moment for _, moment in samples if abs(moment - around) <= history.HOUR / 2]
        assert len(there) >= history.HOUR / history.STEP - 1


def test_promtool_makes_blocks_of_it_that_say_the_same(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("needs promtool, of Debian's package prometheus")
    lines = list(history.openmetrics({NAME: [(LABELS, 0.04)]}, time.time()))
    history.write(lines, tmp_path, tmp_path / "data")
    (tmp_path / "data" / "wal").mkdir()  # without which nothing is dumped
    said = subprocess.run(["promtool", "tsdb", "dump", tmp_path / "data"], capture_output=True, text=True, timeout=60)
    dumped = [line for line in said.stdout.splitlines() if NAME in line]
    assert len(dumped) == len(lines) - 2


def test_what_promtool_refuses_is_one_line(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("needs promtool, of Debian's package prometheus")
    with pytest.raises(Trouble, match="promtool refuses the history: ") as raised:
        history.write(["no metrics\n", "# EOF\n"], tmp_path, tmp_path / "data")
    assert "\n" not in str(raised.value)
