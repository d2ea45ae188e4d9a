"""Series that the agent counts itself, of the increments and observations that a worker prints.

They never go back and outlive the worker: a script that is started again goes on where it left off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from scalpels_exporter.declare import Histogram, Metric, Number
from scalpels_exporter.intake.buckets import Buckets
from scalpels_exporter.intake.budget import OTHER, Slots
from scalpels_exporter.intake.check import labels_are_sound
from scalpels_exporter.intake.rejection import Reason, Rejections
from scalpels_exporter.intake.snapshot import LabelValues, Value


class Sums:
    """What was counted for one metric. A label set past the budget counts for `other` from its first increment on."""

    def __init__(self, metric: Metric, slots: Slots, rejections: Rejections) -> None:
        self.metric = metric
        self._slots = slots
        self._rejections = rejections
        self._other = (OTHER,) * len(metric.labels)
        self._counters: dict[LabelValues, Number] = {}
        self._histograms: dict[LabelValues, Buckets] = {}
        self._folded: set[LabelValues] = set()
        self._exported: dict[LabelValues, Value] = {}
        self._changed: set[LabelValues] = set()

    def add(self, key: LabelValues, amount: Number) -> None:
        """One increment of a counter, one observation of a histogram."""
        if not math.isfinite(amount):
            self._rejections.add(Reason.NOT_A_NUMBER, f"{self.metric.name}: a finite number is due", (key, amount))
        elif isinstance(self.metric, Histogram):
            histogram = self.histogram(key)
            if histogram is not None:
                histogram.observe(amount)
                histogram.add_sum(amount)
        elif amount < 0:
            self._rejections.add(
                Reason.NEGATIVE_COUNTER, f"{self.metric.name} is a counter: an increment is below 0", (key, amount)
            )
        else:
            place = self._place(key, self._counters)
            if place is not None:
                self._counters[place] = self._counters.get(place, 0) + amount
                self._changed.add(place)

    def histogram(self, key: LabelValues) -> Buckets | None:
        """The histogram that counts for these label values, to be observed into; None when they are refused."""
        assert isinstance(self.metric, Histogram)
        place = self._place(key, self._histograms)
        if place is None:
            return None
        found = self._histograms.get(place)
        if found is None:
            found = self._histograms[place] = Buckets(self.metric.buckets)
        self._changed.add(place)
        return found

    def close(self) -> Mapping[LabelValues, Value]:
        """The family to export; the same object as long as nothing was counted."""
        if self._changed:
            exported = dict(self._exported)
            for key in self._changed:
                exported[key] = self._histograms[key].state() if key in self._histograms else self._counters[key]
            self._exported = exported
            self._changed.clear()
        return self._exported

    def series(self) -> int:
        return len(self._counters) + len(self._histograms)

    def empty(self) -> bool:
        return not self._changed

    def _place(self, key: LabelValues, held: Mapping[LabelValues, object]) -> LabelValues | None:
        if key in held:
            return key
        if key in self._folded:
            return self._other
        if not labels_are_sound(self.metric, key, self._rejections):
            return None
        if not key or self._slots.take():
            return key
        # A set that is full forgets nobody: label sets beyond it are folded without being counted as such.
        if len(self._folded) < self._slots.most:
            self._folded.add(key)
            self._slots.folded += 1
        return self._other
