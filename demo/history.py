"""A week that never was: for everything that the shipped rules compare with its past, what a few moments show now.

The rules want to know how long each method, route and verb took at this time of day in the past seven days, and the
demo is a few minutes old. So the values of now are written into the past, each day a little different, as the recorded
series that the rules look back at, and nothing else: there are no days of raw metrics behind them.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from dashboards.boards import find_boards
from dashboards.declared import metrics
from dashboards.queries import mean, observations, quantile
from dashboards.regressions import Comparison, comparisons, inside
from dashboards.thresholds import DAYS, LEAST_FOR_P99, SECONDS
from demo.children import PATH, Trouble

HOUR, DAY = 3600, 86400
BEFORE, AFTER = HOUR, 4 * HOUR  # of this time of day: how long the demo may run and still have a past
STEP = 120
# Shares by which they differ. The rules compare with the worst minute of an hour: that of a p99 lies far above most.
DAYS_DIFFER, MINUTES_DIFFER = 0.03, {"mean": 0.02, "p99": 0.6}
_FLOWS = "1m"  # what is asked for now: the demo is not ten minutes old

Series = dict[str, list[tuple[Mapping[str, str], float]]]  # recorded name → its labels and value now


class Asked(Protocol):
    def ask(self, query: str) -> list[dict[str, Any]]: ...


def present(prometheus: Asked) -> Series:
    """What the rules would record of the last minute, where there is as much traffic as they want."""
    found: Series = {}
    for board in find_boards(metrics()):
        for regression in board.regressions:
            for comparison in comparisons(regression):
                answer = prometheus.ask(_now(comparison))
                found[comparison.name] = [(one["metric"], float(one["value"][1])) for one in answer]
    return {name: series for name, series in found.items() if series}


def _now(comparison: Comparison) -> str:
    regression = comparison.regression
    chosen, labels = inside(regression), comparison.labels
    least = regression.minimum
    if comparison.statistic == "mean":
        value = mean(regression.metric, chosen, labels, _FLOWS)
    else:
        value = quantile(0.99, regression.metric, chosen, labels, _FLOWS)
        least = max(least, LEAST_FOR_P99 / SECONDS[comparison.window])
    return f"(({value}) and ({observations(regression.metric, chosen, labels, _FLOWS)}) >= {least:g}) > 0"


def openmetrics(series: Series, now: float) -> Iterator[str]:
    """Lines of the text that promtool reads."""
    chance = random.Random(7)
    for name, ones in series.items():
        differ = MINUTES_DIFFER["p99" if ":p99" in name else "mean"]
        yield f"# TYPE {name} gauge\n"
        for labels, value in ones:
            told = ",".join(f'{label}="{text}"' for label, text in sorted(labels.items()))
            for day in range(DAYS, 0, -1):
                usual = value * chance.uniform(1 - DAYS_DIFFER, 1 + DAYS_DIFFER)
                around = now - day * DAY
                for moment in range(int(around - BEFORE), int(around + min(AFTER, day * DAY)), STEP):
                    shown = usual * chance.uniform(1 - differ, 1 + differ)
                    yield f"{name}{{{told}}} {shown:.9g} {moment}\n"
    yield "# EOF\n"


def write(lines: Iterable[str], folder: Path, blocks: Path) -> None:
    """As Prometheus' blocks, in a folder of their own."""
    text = folder / "history.txt"
    with text.open("w") as file:
        file.writelines(lines)
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet", str(text), str(blocks)]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": PATH}, timeout=120)
    if done.returncode:
        raise Trouble(f"promtool refuses the history: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
