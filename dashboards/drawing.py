"""Boards → dashboards: which panel stands where on which page, its variables and its links to the other pages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from dashboards.board import Board, Panel
from dashboards.pages import PAGES, Page, uid
from dashboards.panels import DATASOURCE, HEIGHT, WHOLE_WIDTH, drawn
from dashboards.queries import Queries

TAG = "scalpels"


def pages(boards: Sequence[Board], queries: Queries) -> dict[str, str]:
    """The JSON text of every page that has a panel, by its file's stem."""
    found = {}
    panels = [panel for board in boards for panel in board.panels]
    for name, page in PAGES.items():
        mine = [panel for panel in panels if panel.page == name]
        if mine:
            made = _dashboard(name, page, mine, queries).build()
            found[uid(name)] = json.dumps(made, cls=JSONEncoder, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    return found


def in_rows(page: Page, panels: Sequence[Panel]) -> list[tuple[str, list[Panel]]]:
    """Rows in the page's order, then by name; in a row the boards' own order."""
    order = {row: place for place, row in enumerate(page.rows)}
    ordered = sorted(panels, key=lambda panel: (order.get(panel.row, len(order)), panel.row))
    return [(row, list(found)) for row, found in groupby(ordered, lambda panel: panel.row)]


def _dashboard(name: str, page: Page, panels: Sequence[Panel], queries: Queries) -> build.Dashboard:
    made = (
        build.Dashboard(page.full_title)
        .uid(uid(name))
        .description(page.description)
        .tags([TAG])
        .editable()
        .refresh("1m")
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .link(_links())
        .with_variable(build.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_choice("job", "Job", "label_values(scalpels_build_info, job)"))
        .with_variable(_choice("instance", "Instance", 'label_values(scalpels_build_info{job=~"$job"}, instance)'))
    )
    found = [(panel, queries.of(panel)) for panel in panels]
    if any("$program" in query.expr for _, targets in found for query in targets):
        made = made.with_variable(_choice("program", "Program", PROGRAMS))
    number, y = 0, 0
    for row, there in in_rows(page, panels):
        number += 1
        made = made.with_row(build.Row(row).id(number).grid_pos(dashboard.GridPos(h=1, w=WHOLE_WIDTH, x=0, y=y)))
        y, x = y + 1, 0
        for panel in there:
            number += 1
            width = WHOLE_WIDTH if panel.wide else WHOLE_WIDTH // 2
            if x + width > WHOLE_WIDTH:
                x, y = 0, y + HEIGHT
            place = dashboard.GridPos(h=HEIGHT, w=width, x=x, y=y)
            made = made.with_panel(drawn(panel, queries.of(panel), number, place))
            x += width
        y += HEIGHT
    return made


# From whichever tracer that knows programs is on.
PROGRAMS = 'label_values({__name__=~"scalpels_programs?_processes",job=~"$job",instance=~"$instance"}, program)'


def _links() -> build.DashboardLink:
    return (
        build.DashboardLink("Scalpels")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .include_vars(True)
        .keep_time(True)
        .as_dropdown(False)
    )


def _choice(name: str, label: str, query: str) -> build.QueryVariable:
    return (
        build.QueryVariable(name)
        .label(label)
        .query(query)
        .datasource(DATASOURCE)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(dashboard.VariableOption(selected=True, text="All", value="$__all"))
    )
