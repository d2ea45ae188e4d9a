"""Format `openmetrics`: OpenMetrics 1.0 or Prometheus text 0.0.4, each snapshot closed by `# EOF` or the end of a run.

Classic histograms only. `_created` series are passed over; timestamps and exemplars are refused with their sample.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from scalpels_exporter.declare import Counts, Explicit, Histogram, Metric, Number
from scalpels_exporter.intake.check import Check
from scalpels_exporter.intake.ledger import Ledger
from scalpels_exporter.intake.rejection import Reason
from scalpels_exporter.intake.snapshot import LabelValues, Snapshot
from scalpels_exporter.intake.textline import series_of, value_of

TYPE = re.compile(r"# TYPE (\S+) (\S+)\s*")
REMEMBERED = 65536
IGNORED = "ignored"
SAMPLE = "sample"
SEPARATOR = b"\x1e"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the samples of one series go: the check, the label values, and which part of a histogram they are."""

    check: Check
    part: str  # SAMPLE, IGNORED, "bucket", "sum", "count"
    key: LabelValues
    bound: float = 0.0


@dataclass(slots=True)
class Parts:
    """A classic histogram as its lines come in."""

    buckets: dict[float, Number] = field(default_factory=dict)
    sum: Number | None = None
    count: Number | None = None


class OpenMetricsReader:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._rejections = ledger.rejections
        self._names = dict(_names(ledger))
        self._kinds = {
            m.name.removesuffix("_total") if m.kind == "counter" else m.name: m for m in ledger.tracer.metrics
        }
        # A worker prints the same series again and again: its text is read once.
        self._places: dict[str, Place] = {}
        self._histograms: dict[tuple[str, LabelValues], Parts] = {}
        self._mistyped: set[str] = set()
        self._marked = False  # `# EOF` has come since the last separator
        # Of a histogram, each bound is a line; sum, count and a little room for comments come on top.
        self._lines_of_a_series = max((6 + len(b.buckets.bounds()) for b in _histograms(ledger)), default=1)

    def read(self, block: bytes) -> Snapshot | None:
        """Takes whole lines; gives the last snapshot that they completed and that is good."""
        good: Snapshot | None = None
        ledger = self._ledger
        for line in block.split(b"\n")[:-1]:
            raw = line.removesuffix(SEPARATOR)
            if raw.startswith(b"#"):
                if raw.rstrip() == b"# EOF":
                    self._marked = True
                    good = self._end() or good
                elif raw.startswith(b"# TYPE "):
                    self._type(raw)
            elif raw.strip() and ledger.admit(len(raw) + 1, 1, self._lines_of_a_series):
                self._sample(raw)
            if len(raw) < len(line):
                good = self._end_run() or good
        return good

    def finish(self) -> Snapshot | None:
        return self._end_run() if self._ledger.begun else None

    def _end_run(self) -> Snapshot | None:
        # A command that is run afresh for each tick need not print the end: its own end is one.
        good = None if self._marked else self._end()
        self._marked = False
        return good

    def restarted(self) -> None:
        self._drop()
        self._marked = False

    def _drop(self) -> None:
        self._histograms.clear()
        self._mistyped.clear()

    def _end(self) -> Snapshot | None:
        for (name, key), parts in self._histograms.items():
            if self._ledger.spoiled:
                break
            check = self._ledger.checks[name]
            counts = counts_of(parts, check.metric)
            if isinstance(counts, Counts):
                check.put(key, counts)
            else:
                self._rejections.add(Reason.BAD_HISTOGRAM, f"{name}: {counts}", key)
        self._drop()
        return self._ledger.close()

    def _type(self, raw: bytes) -> None:
        found = TYPE.fullmatch(raw.decode(errors="replace"))
        if found is None:
            self._rejections.add(Reason.BAD_SYNTAX, "a line is # TYPE, a metric and its type", raw)
            return
        name, kind = found.groups()
        metric = self._kinds.get(name) or self._kinds.get(name.removesuffix("_total"))
        if metric is not None and metric.kind != kind and kind not in ("unknown", "untyped"):
            self._rejections.add(Reason.WRONG_TYPE, f"{metric.name} is declared as {metric.kind}", raw)
            self._mistyped.add(metric.name)

    def _sample(self, raw: bytes) -> None:
        try:
            series, number = raw.decode().rsplit(maxsplit=1)
        except ValueError:  # not UTF-8, or a single word
            self._rejections.add(Reason.BAD_SYNTAX, "a line is a series and its value", raw)
            return
        place = self._places.get(series)
        if place is None:
            place = self._find(series, raw)
            if place is None:
                return
        if place.part == IGNORED or place.check.metric.name in self._mistyped:
            return
        value = value_of(number)
        if value is None:
            self._rejections.add(Reason.NOT_A_NUMBER, f"{place.check.metric.name}: a number is due", raw)
        elif place.part == SAMPLE:
            place.check.put(place.key, value)
        else:
            self._collect(place, value, raw)

    def _collect(self, place: Place, value: Number, raw: bytes) -> None:
        parts = self._histograms.setdefault((place.check.metric.name, place.key), Parts())
        if place.part == "bucket":
            fresh = place.bound not in parts.buckets
            parts.buckets[place.bound] = value if fresh else parts.buckets[place.bound]
        elif place.part == "sum":
            fresh = parts.sum is None
            parts.sum = value if fresh else parts.sum
        else:
            fresh = parts.count is None
            parts.count = value if fresh else parts.count
        if not fresh:
            self._rejections.add(Reason.DUPLICATE_SERIES, f"{place.check.metric.name} has this series already", raw)

    def _find(self, series: str, raw: bytes) -> Place | None:
        """Reads the text of a series that was not seen yet; None, and counted, when it cannot be one."""
        read = series_of(series)
        if read is None:
            self._refuse(series, raw)
            return None
        name, labels = read
        known = self._names.get(name)
        if known is None:
            self._rejections.add(Reason.UNDECLARED_METRIC, "not among the tracer's metrics", name)
            return None
        check, part = known
        bound = value_of(labels.pop("le", "")) if part == "bucket" else 0.0
        if bound is None or labels.keys() != set(check.metric.labels):
            if part != IGNORED:
                self._rejections.add(Reason.WRONG_LABELS, f"{name} has other labels", raw)
                return None
            labels = dict.fromkeys(check.metric.labels, "")
        place = Place(check, part, tuple(labels[label] for label in check.metric.labels), float(bound or 0.0))
        if len(self._places) >= REMEMBERED:
            self._places.clear()
        self._places[series] = place
        return place

    def _refuse(self, series: str, raw: bytes) -> None:
        if " # " in series:
            self._rejections.add(Reason.EXEMPLAR, "exemplars are not taken", raw)
        elif " " in series and series_of(series.rpartition(" ")[0]) is not None:
            self._rejections.add(Reason.TIMESTAMP, "samples have no timestamp", raw)
        else:
            self._rejections.add(Reason.BAD_SYNTAX, "a line is a series and its value", raw)


def counts_of(parts: Parts, metric: Metric) -> Counts | str:
    """The histogram that its classic lines make, or why they make none. An exponential one's counts go into the
    sub-bucket that ends at the bound."""
    assert isinstance(metric, Histogram)
    bounds = metric.buckets.bounds()
    infinite = parts.buckets.get(float("inf"))
    if parts.sum is None or infinite is None:
        return "its sum and its bucket +Inf are due"
    if parts.buckets.keys() != {*bounds, float("inf")}:
        return "its buckets are not the declared ones"
    if parts.count is not None and parts.count != infinite:
        return "its count is not that of its bucket +Inf"
    cumulative = [parts.buckets[bound] for bound in (*bounds, float("inf"))]
    if not all(0 <= number <= 2**63 and number == int(number) for number in cumulative):
        return "its counts are whole numbers"
    whole = [int(number) for number in cumulative]
    single = [after - before for before, after in zip([0, *whole], whole, strict=False)]
    if min(single) < 0:
        return "its buckets are cumulative"
    if isinstance(metric.buckets, Explicit):
        return Counts(parts.sum, single)
    spread = [0] * (4 * (len(bounds) - 1) + 2)
    spread[0 : len(spread) - 1 : 4] = single[:-1]
    spread[-1] = single[-1]
    return Counts(parts.sum, spread, 4 * metric.buckets.lowest)


def _names(ledger: Ledger) -> Iterator[tuple[str, tuple[Check, str]]]:
    """Every sample name that a declared metric can print."""
    for name, check in ledger.checks.items():
        if isinstance(check.metric, Histogram):
            yield from ((f"{name}_{part}", (check, part)) for part in ("bucket", "sum", "count"))
            yield f"{name}_created", (check, IGNORED)
        else:
            yield name, (check, SAMPLE)
            if check.metric.kind == "counter":
                yield f"{name.removesuffix('_total')}_created", (check, IGNORED)


def _histograms(ledger: Ledger) -> Iterator[Histogram]:
    return (metric for metric in ledger.tracer.metrics if isinstance(metric, Histogram))
