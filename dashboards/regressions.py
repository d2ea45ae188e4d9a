"""Rules that compare a histogram of seconds with its own past, by program and whatever else the board names.

For each of two windows and two statistics (the exact mean, and the 99th percentile):

    :mean10m            now, where there is traffic enough to speak of
    :mean10m:past       the worst such value within half an hour of this time of day, for each of the past seven days
    :mean10m:usual      the median of these days, once there are three
    :mean10m:spread     their median deviation from it

It is slower if it exceeds the usual by a share, by a floor in seconds, and by what the days differ, and also exceeds
what it was at this hour a week ago: a quiet Sunday and a loud one both have their like. The worst value of an hour is
taken because what begins at three o'clock begins a little later on some days. Machines are not told apart: a program
is slower, and the runbook says how to find where.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dashboards.board import Regression
from dashboards.queries import mean, observations, quantile
from dashboards.rule import AlertRule, Recorded
from dashboards.thresholds import (
    DAYS,
    DEVIATIONS,
    FAST,
    LASTS,
    LEAST_DAYS,
    LEAST_FOR_P99,
    SECONDS,
    SLOW,
    SLOWER_MEAN,
    SLOWER_P99,
)

RATIO = "scalpels:slowdown:ratio"  # of all regressions: the last hour's mean to the usual one; 1 within the floor
NOW = "scalpels:slowdown:now_seconds"
USUAL = "scalpels:slowdown:usual_seconds"
_WORDS = {"mean": "mean", "p99": "99th percentile"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One statistic of one histogram in one window."""

    regression: Regression
    statistic: str  # mean or p99
    window: str

    @property
    def labels(self) -> tuple[str, ...]:
        return "job", *self.regression.by

    @property
    def level(self) -> str:
        return f"{'_'.join(self.labels)}:{self.regression.metric}"

    @property
    def name(self) -> str:
        return f"{self.level}:{self.statistic}{'_' if self.statistic == 'p99' else ''}{self.window}"

    @property
    def slower(self) -> float:
        return (SLOWER_MEAN if self.statistic == "mean" else SLOWER_P99)[self.window]

    def rules(self) -> Iterator[Recorded]:
        by = ", ".join(self.labels)
        least = self.regression.minimum
        if self.statistic == "mean":
            value = mean(self.regression.metric, self._inside(), self.labels, self.window)
        else:
            value = quantile(0.99, self.regression.metric, self._inside(), self.labels, self.window)
            least = max(least, LEAST_FOR_P99 / SECONDS[self.window])
        yield Recorded(self.name, f"({value}) and {traffic(self.regression, self.window)} >= {least:g}")
        yield Recorded(f"{self.name}:past", " or ".join(self._day(day) for day in range(1, DAYS + 1)))
        past = f"{self.name}:past"
        yield Recorded(
            f"{self.name}:usual", f"quantile by ({by}) (0.5, {past}) and count by ({by}) ({past}) >= {LEAST_DAYS}"
        )
        yield Recorded(
            f"{self.name}:spread",
            f"quantile by ({by}) (0.5, abs({past} - on ({by}) group_left () {self.name}:usual))",
        )

    def _day(self, day: int) -> str:
        """The hour around this time of day, so many days ago, under the label `day`."""
        offset = f"{24 * day - 1}h30m"
        return f'label_replace(max_over_time({self.name}[1h] offset {offset}), "day", "{day}", "", "")'

    def _inside(self) -> str:
        return inside(self.regression)

    def alert(self, owner: str) -> AlertRule:
        usual, spread = f"{self.name}:usual", f"{self.name}:spread"
        times = 1 + self.slower
        expr = (
            f"{self.name} / {usual} > {times:g}"
            f" and {self.name} - {usual} > {self.regression.floor:g}"
            f" and {self.name} - {usual} > {DEVIATIONS} * {spread}"
            f" unless on ({', '.join(self.labels)})"
            f' {self.name} <= ignoring (day) {times:g} * {self.name}:past{{day="{DAYS}"}}'
        )
        who = ", ".join(f"{label} {{{{ $labels.{label} }}}}" for label in self.regression.by if label != "program")
        urgent = self.statistic == "mean" and self.window == FAST
        return AlertRule(
            alert_name(self.regression.metric),
            expr,
            lasts=LASTS[self.window],
            severity=self.regression.severity if urgent else "warning",
            summary=f"{{{{ $labels.program }}}} is slower than it usually is at this hour: {owner}.",
            description=(
                f"The {_WORDS[self.statistic]} of {self.regression.metric} over {self.window} is "
                "{{ $value | humanize }} times what it was at this hour in the past week: {{ $labels.program }}"
                + (f", {who}." if who else ".")
            ),
            labels={"metric": self.regression.metric, "statistic": self.statistic, "window": self.window},
        )


def comparisons(regression: Regression) -> list[Comparison]:
    return [Comparison(regression, statistic, window) for statistic in ("mean", "p99") for window in (FAST, SLOW)]


def recorded(regression: Regression, owner: str) -> list[Recorded]:
    """In the order in which they need each other."""
    level = Comparison(regression, "mean", FAST).level
    labels = ("job", *regression.by)
    found = [
        Recorded(f"{level}:rate{window}", observations(regression.metric, inside(regression), labels, window))
        for window in (FAST, SLOW)
    ]
    for comparison in comparisons(regression):
        found += comparison.rules()
    hour = Comparison(regression, "mean", SLOW).name
    times = f"{hour} / {hour}:usual"
    same = {"tracer": owner, "metric": regression.metric}
    return [
        *found,
        # What differs by less than the floor is as usual: twice a few microseconds would lead every table.
        Recorded(RATIO, f"({times} and abs({hour} - {hour}:usual) > {regression.floor:g}) or 0 * {times} + 1", same),
        Recorded(NOW, f"{hour} and {hour}:usual", same),
        Recorded(USUAL, f"{hour}:usual and {hour}", same),
    ]


def alerts(regression: Regression, owner: str) -> list[AlertRule]:
    return [comparison.alert(owner) for comparison in comparisons(regression)]


def alert_name(metric: str) -> str:
    """scalpels_http_server_seconds → ScalpelsHttpServerSlower."""
    words: Sequence[str] = metric.removesuffix("_seconds").split("_")
    return "".join(word.capitalize() for word in words) + "Slower"


def traffic(regression: Regression, window: str) -> str:
    """The recorded rate of observations."""
    return f"{Comparison(regression, 'mean', window).level}:rate{window}"


def inside(regression: Regression) -> str:
    return ",".join(f'{label}=~"{text}"' for label, text in sorted(regression.where.items()))
