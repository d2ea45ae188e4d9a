"""The demo's page: it makes nothing of markup, takes nothing from elsewhere, and knows what the dashboards use."""

from __future__ import annotations

import json
import re

import pytest
from running import ROOT

PAGE = ROOT / "demo" / "page"
BOARDS = [json.loads(path.read_text()) for path in sorted((ROOT / "dashboards" / "json").glob("*.json"))]
PANELS = [panel for board in BOARDS for panel in board["panels"] if panel["type"] != "row"]


@pytest.mark.parametrize("name", sorted(path.name for path in PAGE.iterdir()))
def test_nothing_of_it_comes_from_elsewhere_or_is_made_of_markup(name: str) -> None:
    text = (PAGE / name).read_text()
    assert re.findall(r"https?://[^\s\"']+", text) == []
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "onclick="):
        assert word not in text


def test_every_kind_of_panel_can_be_drawn() -> None:
    kinds = re.search(r"KINDS = \{(.*)\}", (PAGE / "page.js").read_text())
    assert kinds is not None
    assert {panel["type"] for panel in PANELS} <= set(re.findall(r"(\w+):", kinds[1]))


def test_every_unit_can_be_written() -> None:
    text = (PAGE / "units.js").read_text()
    known = set(re.findall(r"^  (\w+)[:,]", text.partition("const WRITTEN")[2].partition("};")[0], re.MULTILINE))
    told = {panel["fieldConfig"]["defaults"].get("unit", "short") for panel in PANELS}
    told |= {
        setting["value"]
        for panel in PANELS
        for override in panel["fieldConfig"]["overrides"]
        for setting in override["properties"]
        if setting["id"] == "unit"
    }
    assert {unit for unit in told if not unit.startswith("suffix:")} <= known


def test_every_transformation_of_a_table_is_one_that_it_does() -> None:
    """merge, organize, sortBy and limit are what rows.js does."""
    used = {one["id"] for panel in PANELS for one in panel.get("transformations", [])}
    assert used == {"merge", "organize", "sortBy", "limit"}
