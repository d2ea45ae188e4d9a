"""Every alert of a board: silent when it should be and firing when it should be, by promtool, with the right labels.

The cases stand beside each tracer's tests (tests/tracers/NAME/alerts.yaml); those of the agent's own here.
"""

from __future__ import annotations

import re
import subprocess
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path
from typing import Any

import promtool
import pytest
import yaml
from running import ROOT

from dashboards.board import Alert, Board
from dashboards.boards import find_boards
from dashboards.declared import metrics
from dashboards.rules import every_alert
from scalpels_exporter.catalog import find
from scalpels_exporter.cli.main import VERBS

BOARDS = [board for board in find_boards(metrics()) if board.alerts]
FILES = sorted((ROOT / "dashboards" / "rules").glob("*.yaml"))


def cases(board: Board) -> list[dict[str, Any]]:
    beside = ROOT / "tests" / "tracers" / board.name
    file = beside / "alerts.yaml" if beside.is_dir() else Path(__file__).parent / f"{board.name}.alerts.yaml"
    found: list[dict[str, Any]] = yaml.load(file.read_text(), Loader=yaml.BaseLoader)  # 0x30 is no number here
    return found


def expected(case: dict[str, Any], alert: Alert) -> list[dict[str, Any]]:
    """Of one case: what the query for what fires gives at each of its moments."""
    told = {**case.get("labels", {}), "severity": alert.severity}
    labels = ",".join(f'{key}="{value}"' for key, value in told.items())
    query = f'count without (alertname, alertstate) (ALERTS{{alertname="{alert.name}",alertstate="firing"}})'
    return [
        {"expr": query, "eval_time": moment, "exp_samples": [{"labels": f"{{{labels}}}", "value": 1}] if fires else []}
        for fires in (False, True)
        for moment in case.get("fires" if fires else "silent", [])
    ]


def simulated(case: dict[str, Any], **checks: Any) -> dict[str, Any]:
    series = [{"series": name, "values": values} for name, values in case["series"].items()]
    return {"name": case["about"], "interval": "1m", "input_series": series, **checks}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_the_alerts_of_a_board_are_silent_and_fire_as_its_cases_say(board: Board, tmp_path: Path) -> None:
    alerts = {alert.name: alert for alert in board.alerts}
    tests = [simulated(case, promql_expr_test=expected(case, alerts[case["alert"]])) for case in cases(board)]
    assert not promtool.run(tmp_path, board.name, (f"scalpels-{board.name}",), tests, "1m")


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_the_texts_of_an_alert_that_fires_are_filled_in(board: Board, tmp_path: Path) -> None:
    """promtool shows what it did not expect; here it expects nothing, so that it shows all."""
    tests = [
        simulated(
            case,
            alert_rule_test=[
                {"alertname": case["alert"], "eval_time": moment, "exp_alerts": []} for moment in case.get("fires", [])
            ],
        )
        for case in cases(board)
    ]
    shown = promtool.run(tmp_path, board.name, (f"scalpels-{board.name}",), tests, "1m")
    assert set(re.findall(r'Labels:\{alertname="(\w+)"', shown)) == {alert.name for alert in board.alerts}
    for text in re.findall(r"Annotations:\{(.*)\}", shown):
        assert not re.search(r"<error|<no value>|\{\{|%!", text), text


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_every_alert_has_a_case_in_which_it_is_silent_and_one_in_which_it_fires(board: Board) -> None:
    told = cases(board)
    for what in ("silent", "fires"):
        assert {alert.name for alert in board.alerts} - {case["alert"] for case in told if case.get(what)} == set(), (
            what
        )
    assert {case["alert"] for case in told} <= {alert.name for alert in board.alerts}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_the_texts_of_an_alert_name_labels_that_it_has(board: Board) -> None:
    for alert in board.alerts:
        has = set.intersection(
            *(set(case["labels"]) for case in cases(board) if case["alert"] == alert.name and case.get("fires"))
        )
        named = set(re.findall(r"\$labels\.(\w+)", alert.summary + alert.description))
        assert named <= has, f"{alert.name}: {named - has}"


def test_promtool_finds_nothing_wrong_with_any_file_of_rules() -> None:
    promtool.needed()
    done = subprocess.run(["promtool", "check", "rules", *FILES], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("SUCCESS") == len(FILES)


def test_every_alert_has_a_severity_texts_and_a_runbook_that_says_what_to_type() -> None:
    for rule in every_alert(find_boards(metrics())):
        plain = rule.plain()
        assert plain["labels"]["severity"] in ("critical", "warning", "info")
        assert all(plain["annotations"][what].strip() for what in ("summary", "description"))
        page = ROOT / "docs" / "runbooks" / Path(plain["annotations"]["runbook_url"]).name
        text = page.read_text()
        assert f"# {rule.name}\n" in text
        assert re.search(r"^    (sudo )?(scalpels|df|ovs-ofctl|ip|systemctl|journalctl) ", text, re.M), page.name


def test_every_command_of_ours_that_a_runbook_types_is_one() -> None:
    known = {*find(), "TRACER"}
    for path in sorted((ROOT / "docs" / "runbooks").glob("*.md")):
        for verb, rest in re.findall(r"^    (?:sudo )?scalpels (\w+)(.*)$", path.read_text(), re.M):
            assert verb in VERBS, f"{path.name}: {verb}"
            words = rest.partition("&&")[0].split()
            parser = ArgumentParser(exit_on_error=False)
            import_module(f"scalpels_exporter.cli.{verb}").add_arguments(parser)
            parser.parse_args(words)
            assert not words or words[0] in known, f"{path.name}: {rest}"
