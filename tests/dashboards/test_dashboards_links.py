"""Where the alerts' links to runbooks lead: to one address, which is set in one place."""

from __future__ import annotations

import re

from running import ROOT

from dashboards.rule import UNPUBLISHED, published, runbooks


def test_they_lead_to_where_the_project_says_that_runbooks_are() -> None:
    assert published({"urls": {"Runbooks": "https://docs.example/runbooks/"}}) == "https://docs.example/runbooks"
    assert published({"urls": {"Source": "https://git.example"}}) == UNPUBLISHED
    assert published({}) == UNPUBLISHED


def test_every_link_leads_there_and_to_a_page_that_is_there() -> None:
    seen = set()
    for path in sorted((ROOT / "dashboards" / "rules").glob("*.yaml")):
        for alert, url in re.findall(r"alert: (\w+)\n(?:.*\n)*?\s+runbook_url: (.*)\n", path.read_text()):
            assert url == f"{runbooks()}/{alert}.md"
            seen.add(url.rpartition("/")[2])
    assert seen == {path.name for path in (ROOT / "docs" / "runbooks").glob("Scalpels*.md")}
