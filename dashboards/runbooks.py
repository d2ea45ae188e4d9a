"""A page for every alert: what it says, when it fires, what to look at, which command to type. From boards alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from dashboards import regressions, thresholds
from dashboards.board import Alert, Board, Regression
from dashboards.rule import pretty

_MADE = "<!-- Made by `make update` from {}; not to be edited. -->\n\n"


def pages(boards: Sequence[Board]) -> dict[str, str]:
    """Markdown by the page's stem: the alert's name, and README for the list of them."""
    found = {}
    for board in boards:
        for alert in board.alerts:
            found[alert.name] = _MADE.format(board.file) + _of_alert(alert, board)
        for regression in board.regressions:
            found[regressions.alert_name(regression.metric)] = _MADE.format(board.file) + _slower(regression, board)
    return {**found, "README": _MADE.format("the boards") + _list(boards)}


def _of_alert(alert: Alert, board: Board) -> str:
    numbers = "".join(
        f"- {board.thresholds[name].value:g}: {board.thresholds[name].because}.\n" for name in alert.thresholds
    )
    return (
        f"# {alert.name}\n\n{_plain(alert.summary)}\n\n{alert.runbook}\n\n"
        f"## When it fires\n\nSeverity `{alert.severity}`, once this has been so for {alert.lasts}:\n\n"
        f"```promql\n{pretty(alert.expr)}\n```\n{f'{chr(10)}{numbers}' if numbers else ''}"
    )


def _slower(regression: Regression, board: Board) -> str:
    name, metric = regressions.alert_name(regression.metric), regression.metric
    by = ", ".join(f"`{label}`" for label in regression.by)
    return (
        f"# {name}\n\nA program is slower than it usually is at this hour: `{metric}`, by {by}.\n\n"
        f"{regression.look}\n\n"
        "What changed: a deployment or a configuration in the last hours, the load (`…:rate10m` beside what is slower)"
        ", the machine (the page *Node*), what it waits for (the page *Program*). On which machine:\n\n"
        f"```promql\ntopk(5, rate({metric}_sum[10m]) / rate({metric}_count[10m]))\n```\n\nThere:\n\n"
        f"    sudo scalpels once {board.name} --for 10s\n\n"
        f"## When it fires\n\n{_how(regression)}"
    )


def _how(regression: Regression) -> str:
    rows = "".join(
        f"| {one.statistic} | {one.window} | {one.slower * 100:.0f} % | {thresholds.LASTS[one.window]} | "
        f"`{one.alert('').severity}` |\n"
        for one in regressions.comparisons(regression)
    )
    return (
        "The value now is compared with the greatest value within half an hour of this time of day in each of the past "
        f"{thresholds.DAYS} days; the usual is the median of these days.\n\n"
        "| statistic | window | slower by more than | for | severity |\n| --- | --- | --- | --- | --- |\n"
        f"{rows}\nIt must also be slower by {regression.floor:g} s, by {thresholds.DEVIATIONS} times the median "
        "deviation of those days, and by the same share than a week ago. It is silent below "
        f"{regression.minimum:g} observations a second ({thresholds.LEAST_FOR_P99} in a window for the p99), and until "
        f"there are {thresholds.LEAST_DAYS} days to compare with.\n\n"
        "What is usual and what it is now, for each day: the series "
        f"`{regressions.comparisons(regression)[0].name}` with `:past`, `:usual` and `:spread` behind it.\n"
    )


def _list(boards: Sequence[Board]) -> str:
    rows = "".join(f"| [{name}]({name}.md) | {severity} | {what} |\n" for name, severity, what in sorted(_rows(boards)))
    return (
        "# Runbooks\n\nOne page for each alert of [the rules](../../dashboards/rules): what it means, what to look at, "
        f"which command to type.\n\n| alert | severity | says |\n| --- | --- | --- |\n{rows}"
    )


def _rows(boards: Sequence[Board]) -> Iterator[tuple[str, str, str]]:
    for board in boards:
        for alert in board.alerts:
            yield alert.name, alert.severity, _plain(alert.summary)
        for one in board.regressions:
            what = f"A program is slower than it usually is at this hour ({board.name})."
            yield regressions.alert_name(one.metric), f"{one.severity}, warning", what


def _plain(text: str) -> str:
    """A summary without its template: `{{ $labels.program }}` becomes "program"."""
    return re.sub(r"\{\{ \$(?:labels\.)?(\w+)[^}]* \}\}", r"`\1`", text)
