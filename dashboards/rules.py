"""Boards → files of rules: what is recorded of every metric of a program, regressions, and the boards' own alerts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from dashboards import regressions
from dashboards.board import Alert, Board, Regression
from dashboards.declared import Declared
from dashboards.queries import mean, observations, quantile, summed
from dashboards.rule import AlertRule, Recorded, file_text

WINDOW = "5m"  # of what is recorded for each program; long enough for four scrapes at Prometheus' default of 1m
QUANTILES = (0.5, 0.9, 0.99)
_BY = ("job", "program")


def files(boards: Iterable[Board], declared: Mapping[str, Declared]) -> dict[str, str]:
    """The text of every file of rules by its stem, the board's."""
    found = {board.name: _file(board, declared) for board in boards}
    return {name: text for name, text in found.items() if text}


def _file(board: Board, declared: Mapping[str, Declared]) -> str:
    return file_text(
        board.file,
        (
            (f"scalpels-{board.name}-programs", of_programs(board.name, declared)),
            *((f"scalpels-{board.name}-slower-{one.metric}", _compared(one, board.name)) for one in board.regressions),
            (f"scalpels-{board.name}", [_alert(alert) for alert in board.alerts]),
        ),
    )


def _compared(regression: Regression, owner: str) -> list[Recorded | AlertRule]:
    """In one group, whose rules are evaluated in their order: an alert sees what was recorded in this moment."""
    return [*regressions.recorded(regression, owner), *regressions.alerts(regression, owner)]


def of_programs(owner: str, declared: Mapping[str, Declared]) -> list[Recorded]:
    """Rates of the owner's counters and histograms for each program, over all machines, and quantiles and means."""
    found = []
    for metric in declared.values():
        if metric.owner != owner or "program" not in metric.labels or metric.kind not in ("counter", "histogram"):
            continue
        level = f"{'_'.join(_BY)}:{metric.name}"
        if metric.kind == "counter":
            found.append(Recorded(f"{level}:rate{WINDOW}", summed(_BY, f"rate({metric.name}[{WINDOW}])")))
            continue
        found.append(Recorded(f"{level}:rate{WINDOW}", observations(metric.name, "", _BY, WINDOW)))
        found.append(Recorded(f"{level}:mean{WINDOW}", mean(metric.name, "", _BY, WINDOW)))
        found += [
            Recorded(f"{level}:p{q * 100:g}_{WINDOW}", quantile(q, metric.name, "", _BY, WINDOW)) for q in QUANTILES
        ]
    return found


def _alert(alert: Alert) -> AlertRule:
    return AlertRule(alert.name, alert.expr, alert.lasts, alert.severity, alert.summary, alert.description)


def every_alert(boards: Sequence[Board]) -> list[AlertRule]:
    """All alerts of all boards."""
    found = []
    for board in boards:
        found += [rule for one in board.regressions for rule in regressions.alerts(one, board.name)]
        found += [_alert(alert) for alert in board.alerts]
    return found
