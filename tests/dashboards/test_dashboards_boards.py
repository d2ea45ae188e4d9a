"""A board that is wrong costs one clear line for each mistake: file, line, key, what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest
from running import ROOT

from dashboards.declared import metrics
from dashboards.reading import read_board
from scalpels_exporter.config.settings import Mistakes

DECLARED = metrics()
PANEL = "panels: {sql: {Row: [%s]}}"
ALERT = "{name: ScalpelsX, severity: info, lasts: 5m, expr: up == 0, summary: S., description: D., runbook: R.}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("panel: {}", "panel: unknown key; did you mean panels?"),
        ("panels: {grafana: {}}", "panels.grafana: unknown key; expected one of overview, program"),
        (PANEL % "{show: rate, metric: scalpels_sql_seconds}", "panels.sql.Row[0]: expected the key title"),
        (PANEL % "{title: T, show: pie}", "panels.sql.Row[0].show: expected one of rate, errors, quantiles"),
        (PANEL % "{title: T, show: rate}", "panels.sql.Row[0]: expected the key metric"),
        (
            PANEL % "{title: T, show: rate, metric: scalpels_sql_second}",
            'panels.sql.Row[0].metric: expected a declared metric, got "scalpels_sql_second"',
        ),
        (
            PANEL % "{title: T, show: heatmap, metric: scalpels_sql_rows_total}",
            "panels.sql.Row[0].metric: heatmap shows a histogram, and scalpels_sql_rows_total is a counter",
        ),
        (
            PANEL % "{title: T, show: rate, metric: scalpels_sql_seconds, by: [programme]}",
            "panels.sql.Row[0].by[0]: expected one of program, system, side, verb, job, instance",
        ),
        (
            PANEL % "{title: T, show: rate, metric: scalpels_sql_seconds, where: {code: x}}",
            "panels.sql.Row[0].where.code: unknown key",
        ),
        (
            PANEL % "{title: T, show: rate, metric: scalpels_sql_seconds, unit: furlongs}",
            "panels.sql.Row[0].unit: expected one of seconds, bytes",
        ),
        (
            PANEL % "{title: T, show: rate, metric: scalpels_sql_seconds, expr: up}",
            "panels.sql.Row[0].expr: has a meaning only where show is query, and here it is rate",
        ),
        (PANEL % "{title: T, show: query, unit: number, description: D}", "panels.sql.Row[0]: expected the key expr"),
        (PANEL % "{title: T, show: query, expr: up, description: D}", "panels.sql.Row[0]: expected the key unit"),
        (PANEL % "{title: T, show: query, expr: up, unit: number}", "panels.sql.Row[0]: expected the key description"),
        (PANEL % "{title: T, show: table, description: D}", "panels.sql.Row[0]: expected the key columns"),
        ("left_out: {scalpels_none: why}", "left_out.scalpels_none: expected the name of a declared metric"),
        (
            "regressions: [{metric: scalpels_sql_rows_total, by: [program], floor: 1ms, minimum: 1, look: L}]",
            'regressions[0].metric: expected a declared histogram of seconds, got "scalpels_sql_rows_total"',
        ),
        (
            "regressions: [{metric: scalpels_sql_seconds, by: [program], minimum: 1, look: L}]",
            "regressions[0]: expected the keys metric, by, floor, minimum, look; floor missing",
        ),
        (
            "regressions: [{metric: scalpels_sql_seconds, by: [program], floor: 2 ms, minimum: 1, look: L}]",
            'regressions[0].floor: expected a duration such as 10s, 5m or 1h30m, got "2 ms"',
        ),
        (f"alerts: [{ALERT.replace('ScalpelsX', 'TooSlow')}]", "alerts[0].name: expected a name such as"),
        (f"alerts: [{ALERT.replace('info', 'loud')}]", "alerts[0].severity: expected one of critical, warning, info"),
        (f"alerts: [{ALERT.replace('up == 0', 'up > $x')}]", "alerts[0].expr: expected a threshold of this board"),
        (f"alerts: [{ALERT}, {ALERT}]", "alerts[1]: the name ScalpelsX is taken by an alert above"),
        (f"thresholds: {{x: {{value: 1, because: B}}}}\nalerts: [{ALERT}]", "alerts: no alert names the threshold $x"),
        ("panels: [", "no YAML"),
    ],
)
def test_a_mistake_is_one_line_that_says_where_and_what_was_expected(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "x.board.yaml"
    file.write_text(text)
    with pytest.raises(Mistakes) as caught:
        read_board(file, DECLARED)
    lines = [str(one) for one in caught.value.found]
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"{file}:")
    assert says in lines[0]
    assert "\n" not in lines[0]


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "x.board.yaml"
    file.write_text("panels: {nowhere: {}}\nleft_out: {scalpels_none: why}\nalerts: [{}]\n")
    with pytest.raises(Mistakes) as caught:
        read_board(file, DECLARED)
    assert [one.key for one in caught.value.found] == ["panels.nowhere", "left_out.scalpels_none", "alerts[0]"]


def test_an_empty_board_is_none(tmp_path: Path) -> None:
    file = tmp_path / "x.board.yaml"
    file.write_text("")
    assert read_board(file, DECLARED).panels == ()


def test_the_board_that_contributing_shows_is_good(tmp_path: Path) -> None:
    shown = (ROOT / "CONTRIBUTING.md").read_text().partition("```yaml board\n")[2].partition("```")[0]
    file = tmp_path / "sql.board.yaml"
    file.write_text(shown)
    board = read_board(file, DECLARED)
    assert [len(part) for part in (board.panels, board.left_out, board.regressions, board.alerts)] == [2, 1, 1, 1]
