"""What is committed is what `make update` would write, and says nothing that is not declared."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml
from running import ROOT

from dashboards.__main__ import present, texts
from dashboards.boards import find_boards
from dashboards.declared import metrics, series
from dashboards.pages import PAGES, uid
from dashboards.units import UNITS

DECLARED = metrics()
NAMES = series(DECLARED)
BOARDS = find_boards(DECLARED)
PAGES_MADE = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "dashboards" / "json").glob("*.json"))}
RULES = {
    path.stem: yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    for path in sorted((ROOT / "dashboards" / "rules").glob("*.yaml"))
}
# Prometheus' own.
FOREIGN = {"up", "ALERTS"}


def panels(page: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in page["panels"] if panel["type"] != "row"]


def plain(expr: str) -> str:
    """The query as Prometheus gets it from Grafana."""
    for name, value in (("$__rate_interval", "4m"), ("$__range", "1h"), ("$__interval", "15s")):
        expr = expr.replace(name, value)
    return re.sub(r"\$(job|instance|program)\b", ".*", expr)


def rules() -> Iterator[dict[str, Any]]:
    for file in RULES.values():
        for group in file["groups"]:
            yield from group["rules"]


RECORDED = {rule["record"] for rule in rules() if "record" in rule}


def selected(expr: str) -> set[str]:
    """The names of the series that a query asks for."""
    found: set[str] = set()

    def look(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector) and node.name:
            found.add(node.name)

    promql_parser.walk(promql_parser.parse(expr), look)
    return found


def unknown(expr: str) -> set[str]:
    return selected(expr) - NAMES.keys() - RECORDED - FOREIGN


def test_every_file_is_the_one_that_make_update_would_write() -> None:
    made = texts()
    assert present() == made.keys()
    assert [str(path) for path, text in made.items() if path.read_text() != text] == []


@pytest.mark.parametrize("name", PAGES_MADE)
def test_a_panel_has_a_title_a_description_a_unit_and_a_legend(name: str) -> None:
    for panel in panels(PAGES_MADE[name]):
        assert panel["title"].strip()
        assert panel["description"].strip(), panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS.values(), panel["title"]
        for target in panel["targets"]:
            assert target["legendFormat"] if panel["type"] != "table" else target["instant"], panel["title"]


@pytest.mark.parametrize("name", PAGES_MADE)
def test_a_query_parses_and_names_nothing_that_is_not_declared_or_recorded(name: str) -> None:
    for panel in panels(PAGES_MADE[name]):
        for target in panel["targets"]:
            assert unknown(plain(target["expr"])) == set(), panel["title"]


@pytest.mark.parametrize("name", PAGES_MADE)
def test_a_rate_is_over_the_interval_that_grafana_finds_and_in_a_table_over_what_is_shown(
    name: str,
) -> None:
    for panel in panels(PAGES_MADE[name]):
        window = "$__range" if panel["type"] == "table" else "$__rate_interval"
        for target in panel["targets"]:
            assert set(re.findall(r"\[([^\]]+)\]", target["expr"])) <= {window}, panel["title"]


@pytest.mark.parametrize("name", PAGES_MADE)
def test_a_query_chooses_by_the_variables_of_its_dashboard(name: str) -> None:
    variables = {one["name"] for one in PAGES_MADE[name]["templating"]["list"]}
    for panel in panels(PAGES_MADE[name]):
        for target in panel["targets"]:
            used = set(re.findall(r'=~"\$(\w+)"', target["expr"]))
            assert {"job"} <= used <= variables, panel["title"]


@pytest.mark.parametrize("name", PAGES_MADE)
def test_what_asks_classic_buckets_asks_a_native_histogram_too(name: str) -> None:
    for panel in panels(PAGES_MADE[name]):
        queries = " ".join(target["expr"] for target in panel["targets"])
        for metric in set(re.findall(r"(\w+)_(?:bucket|sum|count)\{", queries)) & DECLARED.keys():
            assert re.search(rf"\b{metric}\{{", queries), panel["title"]


@pytest.mark.parametrize("name", PAGES_MADE)
def test_a_dashboard_has_its_variables_its_links_and_no_two_panels_in_one_place(name: str) -> None:
    page = PAGES_MADE[name]
    assert page["uid"] == name
    assert name in {uid(one) for one in PAGES}
    variables = {one["name"]: one for one in page["templating"]["list"]}
    assert list(variables)[:3] == ["datasource", "job", "instance"]
    assert all(one["multi"] and one["includeAll"] for key, one in variables.items() if key != "datasource")
    assert page["links"][0]["includeVars"]
    assert page["tags"] == page["links"][0]["tags"]
    squares = [
        (x, y)
        for panel in page["panels"]
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(squares) == len(set(squares))
    assert max(x for x, _ in squares) == 23
    ids = [panel["id"] for panel in page["panels"]]
    assert len(ids) == len(set(ids))
    titles = [(panel["title"], panel["type"]) for panel in panels(page)]
    assert len(titles) == len(set(titles)), "two panels of a kind with one title"


def test_latency_is_shown_as_a_heatmap_too_on_the_page_of_its_subject() -> None:
    """Of each histogram that the pages sql and http draw as lines."""
    for name in ("scalpels-sql", "scalpels-http"):
        drawn = {
            kind: {
                metric
                for panel in panels(PAGES_MADE[name])
                if panel["type"] == kind
                for metric in re.findall(r"(\w+_seconds)_bucket", json.dumps(panel["targets"]))
            }
            for kind in ("timeseries", "heatmap")
        }
        assert drawn["timeseries"] == drawn["heatmap"]


def test_every_rule_parses_and_names_nothing_that_is_not_declared_or_recorded() -> None:
    every = list(rules())
    assert len(every) > 100
    assert {name: found for rule in every if (found := unknown(rule["expr"])) for name in [str(rule)]} == {}


def test_every_group_of_rules_has_a_name_of_its_own() -> None:
    names = [group["name"] for file in RULES.values() for group in file["groups"]]
    assert len(names) == len(set(names))


def test_every_declared_metric_stands_in_a_dashboard_or_is_left_out_for_a_reason() -> None:
    shown = {
        NAMES[name]
        for page in PAGES_MADE.values()
        for panel in panels(page)
        for target in panel["targets"]
        for name in selected(plain(target["expr"])) & NAMES.keys()
    }
    left_out = {name for board in BOARDS for name in board.left_out}
    assert DECLARED.keys() - shown == left_out


def test_every_metric_that_a_runbook_names_is_declared_or_recorded() -> None:
    for path in sorted((ROOT / "docs" / "runbooks").glob("*.md")):
        named = set(re.findall(r"(?<!:)\b(?:scalpels|process)_[a-z0-9_]+\b", path.read_text()))
        prefixes = {name for name in named if any(one.startswith(f"{name}_") for one in NAMES)}
        assert named - NAMES.keys() - prefixes == set(), path.name


def test_a_tracers_board_names_its_own_metrics_alone() -> None:
    """So that a tracer can go with all that is its own."""
    for board in BOARDS:
        if board.name in {metric.owner for metric in DECLARED.values()} - {"agent"}:
            used = {panel.metric for panel in board.panels} | {panel.of for panel in board.panels} - {""}
            assert {DECLARED[name].owner for name in used if name} <= {board.name}
            assert {DECLARED[one.metric].owner for one in board.regressions} <= {board.name}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_every_page_that_a_runbook_speaks_of_is_there(board: Any) -> None:
    titles = {page.title for page in PAGES.values()}
    texts = [alert.runbook for alert in board.alerts] + [one.look for one in board.regressions]
    spoken = {title for text in texts for title in re.findall(r"page \*([^*]+)\*", text)}
    assert spoken <= titles


def test_every_panel_that_a_runbook_speaks_of_is_there() -> None:
    titles = {panel["title"] for page in PAGES_MADE.values() for panel in panels(page)} | {
        page.title for page in PAGES.values()
    }
    spoken = {
        title
        for board in BOARDS
        for text in [*(alert.runbook for alert in board.alerts), *(one.look for one in board.regressions)]
        for title in re.findall(r"(?<!\*)\*([A-Z][^*\n]+)\*(?!\*)", text)
    }
    assert spoken - titles == set()
