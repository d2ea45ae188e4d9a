"""A panel and its queries → Grafana's panel. How things look is decided here, once; what they say is not."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import common as build_common
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import heatmap as build_heatmap
from grafana_foundation_sdk.builders import prometheus as build_prometheus
from grafana_foundation_sdk.builders import table as build_table
from grafana_foundation_sdk.builders import timeseries as build_series
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common, dashboard, heatmap, prometheus

from dashboards.board import Panel
from dashboards.pages import uid
from dashboards.queries import Query
from dashboards.units import UNITS

DATASOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
WHOLE_WIDTH = 24
HEIGHT = 8
MOST_ROWS = 50  # of a table
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TO_PROGRAM = f"/d/{uid('program')}?${{__url_time_range}}&${{datasource:queryparam}}&${{job:queryparam}}"


def drawn(panel: Panel, queries: Sequence[Query], number: int, place: dashboard.GridPos) -> Builder[dashboard.Panel]:
    """`number` is the panel's id in its dashboard."""
    if panel.show in ("table", "worst"):
        made: build_table.Panel | build_heatmap.Panel | build_series.Panel = _table(queries)
    elif panel.show == "heatmap":
        made = _heatmap(queries)
    else:
        made = _lines(panel, queries)
    return made.id(number).title(panel.title).description(panel.description).datasource(DATASOURCE).grid_pos(place)


def _target(query: Query, letter: str) -> build_prometheus.Dataquery:
    target = build_prometheus.Dataquery().expr(query.expr).ref_id(letter).datasource(DATASOURCE)
    if query.title:
        return target.instant().format(prometheus.PromQueryFormat.TABLE)
    if query.heatmap:
        return target.range().format(prometheus.PromQueryFormat.HEATMAP).legend_format(query.legend)
    return target.range().legend_format(query.legend)


def _lines(panel: Panel, queries: Sequence[Query]) -> build_series.Panel:
    legend = (
        build_common.VizLegendOptions()
        .display_mode(common.LegendDisplayMode.TABLE)
        .placement(common.LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs(["mean", "max", "lastNotNull"])
        .sort_by("Max")
        .sort_desc(True)
    )
    tooltip = build_common.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
    made = (
        build_series.Panel()
        .unit(UNITS[queries[0].unit])
        .legend(legend)
        .tooltip(tooltip)
        .line_width(1)
        .fill_opacity(10)
        .show_points(common.VisibilityMode.NEVER)
        .color_scheme(build.FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    )
    if panel.show != "age":
        made = made.min(0)
    if panel.show == "errors":
        made = made.draw_style(common.GraphDrawStyle.BARS).fill_opacity(80)
    if panel.stacked or panel.show == "errors":
        made = made.stacking(build_common.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    if panel.stacked:
        made = made.fill_opacity(60)
    for query, letter in zip(queries, _LETTERS, strict=False):
        made = made.with_target(_target(query, letter))
    return made


def _heatmap(queries: Sequence[Query]) -> build_heatmap.Panel:
    unit = UNITS[queries[0].unit]
    colour = (
        build_heatmap.HeatmapColorOptions()
        .mode(heatmap.HeatmapColorMode.SCHEME)
        .scheme("Spectral")
        .scale(heatmap.HeatmapColorScale.EXPONENTIAL)
        .exponent(0.5)
        .steps(64)
        .fill("dark-orange")
        .reverse(False)
    )
    made = (
        build_heatmap.Panel()
        .calculate(False)
        .color(colour)
        .unit(unit)
        .y_axis(build_heatmap.YAxisConfig().unit(unit).axis_placement(common.AxisPlacement.LEFT))
        .cell_values(build_heatmap.CellValues().unit("short"))
        .filter_values(build_heatmap.FilterValueRange().le(1e-9))
        .show_legend()
        .show_tooltip()
    )
    for query, letter in zip(queries, _LETTERS, strict=False):
        made = made.with_target(_target(query, letter))
    return made


def _table(queries: Sequence[Query]) -> build_table.Panel:
    """A row for each set of labels, the greatest of the first column first."""
    values = {
        f"Value #{letter}" if len(queries) > 1 else "Value": q for q, letter in zip(queries, _LETTERS, strict=False)
    }
    first = queries[0].title
    made = (
        build_table.Panel()
        .unit(UNITS[queries[0].unit])
        .with_transformation(dashboard.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            dashboard.DataTransformerConfig(
                id_val="organize",
                options={
                    "excludeByName": {"Time": True, "__name__": True},
                    "renameByName": {name: query.title for name, query in values.items()},
                },
            )
        )
        .with_transformation(
            dashboard.DataTransformerConfig(id_val="sortBy", options={"sort": [{"field": first, "desc": True}]})
        )
        .with_transformation(dashboard.DataTransformerConfig(id_val="limit", options={"limitField": MOST_ROWS}))
        .sort_by([build_common.TableSortByFieldState().display_name(first).desc(True)])
        .override_by_name("program", [_link()])
    )
    for query, letter in zip(queries, _LETTERS, strict=False):
        made = made.with_target(_target(query, letter))
        made = made.override_by_name(query.title, [dashboard.DynamicConfigValue("unit", UNITS[query.unit])])
    return made


def _link() -> dashboard.DynamicConfigValue:
    link = {"title": "this program", "url": f"{_TO_PROGRAM}&var-program=${{__value.text}}"}
    return dashboard.DynamicConfigValue("links", [link])
