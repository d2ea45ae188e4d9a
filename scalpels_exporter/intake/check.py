"""The check of one metric's series against its declaration, for workers that print their full present state.

A refused sample costs itself alone: a counter or histogram that had a good value before stays at it, a gauge is left
out. Nothing is parsed here: a reader has made label values and numbers (or Counts of whole numbers) of the text.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from operator import gt

from scalpels_exporter.declare import Counts, Explicit, Exponential, Histogram, Metric
from scalpels_exporter.intake.buckets import fell
from scalpels_exporter.intake.budget import OTHER, Fold, Slots, with_other
from scalpels_exporter.intake.rejection import Reason, Rejections
from scalpels_exporter.intake.snapshot import LabelValues, Value

LABEL_CHARACTERS = 200
SUB_BUCKETS = 512  # 128 powers of two: more than any quantity spans
NUMBERS = frozenset((int, float))  # and not bool
FARTHEST = 5000  # sub-bucket indices of every number that a float can hold lie within ±4300


def labels_are_sound(metric: Metric, key: LabelValues, rejections: Rejections) -> bool:
    """Whether these can be the label values of a series; the refusal is counted here."""
    if len(key) != len(metric.labels):
        rejections.add(Reason.WRONG_LABELS, f"{metric.name} has {len(metric.labels)} labels", key)
        return False
    for text in key:
        if text.__class__ is not str:
            rejections.add(Reason.WRONG_LABELS, f"{metric.name}: a label value is a text", key)
            return False
        if len(text) > LABEL_CHARACTERS or (not text.isascii() and not _is_unicode(text)):
            rejections.add(
                Reason.BAD_LABEL, f"{metric.name}: a label value is valid Unicode of at most {LABEL_CHARACTERS}", key
            )
            return False
    return True


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class Check(ABC):
    """The series of one metric. `put` each sample of a snapshot, then `close`."""

    def __init__(self, metric: Metric, slots: Slots, rejections: Rejections) -> None:
        self.metric = metric
        self.before: dict[LabelValues, Value] = {}  # the last snapshot's series: canonical label sets, last good values
        self.now: dict[LabelValues, Value] = {}
        self._slots = slots
        self._rejections = rejections
        self._fold = Fold(slots, metric.kind == "gauge")
        self._other = (OTHER,) * len(metric.labels)

    def put(self, key: LabelValues, value: Value) -> None:
        """Takes one sample into the snapshot being built, or counts why not."""
        try:
            before = self.before.get(key)
        except TypeError:
            self._rejections.add(Reason.WRONG_LABELS, f"{self.metric.name}: a label value is a text", key)
            return
        if key in self.now:
            self._rejections.add(Reason.DUPLICATE_SERIES, f"{self.metric.name} has this series already", key)
        elif before is None:
            self._put_new(key, value)
        elif self._sound(key, value, before):
            self.now[key] = value
        elif self.metric.kind != "gauge":
            self.now[key] = before

    def replace(self, key: LabelValues, value: Value) -> None:
        """As `put`, for a stream: a later line is the newer value of the series, not its duplicate."""
        earlier = self.now.pop(key, None)
        if earlier is not None:
            self.before[key] = earlier
        self._fold.reopen(key)
        self.put(key, value)

    def close(self, keep: bool = False) -> Mapping[LabelValues, Value]:
        """Ends the snapshot and gives the family to export. With `keep`, what was not printed again stays."""
        folded = self._fold.close(keep)
        if folded is not None and self.metric.kind != "gauge" and self._other in self.before:
            # The exported sum contains the worker's own `other`; without it the sum would go back.
            self.now.setdefault(self._other, self.before[self._other])
        if keep:
            self.before.update(self.now)
            exported = dict(self.before)
        else:
            self.before = exported = self.now
        self.now = {}
        return with_other(exported, self._other, folded)

    def abandon(self) -> None:
        """Drops the snapshot being built."""
        self.now = {}
        self._fold.abandon()

    def restarted(self) -> None:
        """A new worker counts from zero: nothing of the old one is a measure for it."""
        self.now = {}
        self.before = {}
        self._fold.clear()

    def series(self) -> int:
        """How many places of the budget are held."""
        return len(self.before)

    def empty(self) -> bool:
        return not self.now and not self._fold.now

    def _put_new(self, key: LabelValues, value: Value) -> None:
        if not labels_are_sound(self.metric, key, self._rejections):
            return
        fold = self._fold
        last = fold.members.get(key)
        if key in fold.now:
            self._rejections.add(Reason.DUPLICATE_SERIES, f"{self.metric.name} has this series already", key)
        elif not self._sound(key, value, last):
            if last is not None and self.metric.kind != "gauge":
                fold.now[key] = last
        elif last is None and (not key or self._slots.take()):
            self.now[key] = value
        elif last is not None or fold.has_room():
            fold.now[key] = value
        else:
            self._rejections.add(Reason.SNAPSHOT_TOO_LARGE, f"{self.metric.name}: too many label sets", key)

    @abstractmethod
    def _sound(self, key: LabelValues, value: Value, before: Value | None) -> bool:
        """Whether a value may follow the last good one (None for a new series); the refusal is counted."""


class GaugeCheck(Check):
    # A gauge has no past.
    def _sound(self, key: LabelValues, value: Value, before: Value | None) -> bool:  # noqa: ARG002
        if (value.__class__ is float or value.__class__ is int) and value == value:
            return True
        self._rejections.add(Reason.NOT_A_NUMBER, f"{self.metric.name} is a gauge: a number is due", (key, value))
        return False


class CounterCheck(Check):
    def put(self, key: LabelValues, value: Value) -> None:
        now = self.now
        try:
            before = None if key in now else self.before[key]
        except (KeyError, TypeError):  # new, or no labels at all
            before = None
        # The way of nearly every sample; whatever is odd about one takes the long way.
        if before is not None and value.__class__ in NUMBERS and before <= value < math.inf:  # type: ignore[operator]
            now[key] = value
        else:
            super().put(key, value)

    def _sound(self, key: LabelValues, value: Value, before: Value | None) -> bool:
        if isinstance(value, Counts | bool) or not isinstance(value, int | float) or not math.isfinite(value):
            why, reason = "is a counter: a finite number is due", Reason.NOT_A_NUMBER
        elif value < 0:
            why, reason = "is a counter: it is below 0", Reason.NEGATIVE_COUNTER
        elif before is not None and value < before:  # type: ignore[operator]
            why, reason = f"is a counter: it was {before!r}", Reason.COUNTER_BACKWARDS
        else:
            return True
        self._rejections.add(reason, f"{self.metric.name} {why}", (key, value))
        return False


class HistogramCheck(Check):
    def __init__(self, metric: Histogram, slots: Slots, rejections: Rejections) -> None:
        super().__init__(metric, slots, rejections)
        buckets = metric.buckets
        self._explicit = isinstance(buckets, Explicit)
        self._last = FARTHEST if isinstance(buckets, Exponential) else len(buckets.upper)
        # Where observations can be negative, the sum may fall.
        self._signed = isinstance(buckets, Explicit) and buckets.upper[0] < 0

    def put(self, key: LabelValues, value: Value) -> None:
        now = self.now
        try:
            before = None if key in now else self.before[key]
        except (KeyError, TypeError):  # new, or no labels at all
            before = None
        # The way of nearly every sample: each sub-bucket holds at least what it held, so that none is negative either.
        if (
            before.__class__ is value.__class__ is Counts
            and before.first == value.first
            and before.sum <= value.sum < math.inf
            and before.zero <= value.zero
            and len(before.counts) == len(value.counts)
            and not any(map(gt, before.counts, value.counts))
        ):
            now[key] = value
        else:
            super().put(key, value)

    def _sound(self, key: LabelValues, value: Value, before: Value | None) -> bool:
        if value.__class__ is not Counts:
            return self._refuse(key, value, Reason.BAD_HISTOGRAM, "is a histogram: sum and counts are due")
        if before is None:
            return self._sound_alone(key, value)
        assert isinstance(before, Counts)
        if not self._sound_alone(key, value):
            return False
        if fell(before, value):
            return self._refuse(key, value, Reason.COUNTER_BACKWARDS, "is a histogram: a bucket holds less than before")
        if value.sum < before.sum and not self._signed and value.zero == before.zero:
            return self._refuse(key, value, Reason.COUNTER_BACKWARDS, f"is a histogram: its sum was {before.sum!r}")
        return True

    def _sound_alone(self, key: LabelValues, value: Counts) -> bool:
        first, zero, size = value.first, value.zero, len(value.counts)
        if first.__class__ is not int or zero.__class__ is not int or size > SUB_BUCKETS:
            return self._refuse(key, value, Reason.BAD_HISTOGRAM, f"is a histogram of at most {SUB_BUCKETS} counts")
        if zero < 0 or min(value.counts, default=0) < 0:
            return self._refuse(key, value, Reason.NEGATIVE_COUNTER, "is a histogram: a count is below 0")
        if not math.isfinite(value.sum):
            return self._refuse(key, value, Reason.NOT_A_NUMBER, "is a histogram: its sum is not finite")
        lowest = 0 if self._explicit else -self._last
        within = lowest <= first and first + size - 1 <= self._last
        if (size and not within) or (zero and self._signed):
            return self._refuse(key, value, Reason.BAD_HISTOGRAM, "is a histogram: counts lie outside its buckets")
        if value.sum < 0 and not zero and not self._signed:
            return self._refuse(key, value, Reason.NEGATIVE_COUNTER, "is a histogram: its sum is below 0")
        return True

    def _refuse(self, key: LabelValues, value: Value, reason: Reason, why: str) -> bool:
        self._rejections.add(reason, f"{self.metric.name} {why}", (key, value))
        return False


def check_for(metric: Metric, slots: Slots, rejections: Rejections) -> Check:
    if isinstance(metric, Histogram):
        return HistogramCheck(metric, slots, rejections)
    return (CounterCheck if metric.kind == "counter" else GaugeCheck)(metric, slots, rejections)
