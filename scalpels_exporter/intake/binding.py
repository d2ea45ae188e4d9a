"""A record's fields → one sample of each metric that the declaration binds to them. Parses no line."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from scalpels_exporter.declare import Binding, Histogram, Number
from scalpels_exporter.intake.accumulate import Sums
from scalpels_exporter.intake.check import Check
from scalpels_exporter.intake.ledger import Ledger
from scalpels_exporter.intake.rejection import Reason
from scalpels_exporter.intake.snapshot import LabelValues, Value

NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", re.ASCII)
DIGITS = 400  # more than any float needs
WHOLE_DIGITS = 18  # what fits 64 bits; beyond it a number is a float, as in JSON

Fields = Mapping[str, str | None]


class Bound:
    """One binding, tied to the ledger that its samples go into: to `sums` where the agent counts, else to `check`.

    `observes` says that a record's number is one observation of a histogram, whatever the binding's `counts` is;
    `percents` that it may have a percent sign, which is dropped.
    """

    def __init__(self, binding: Binding, ledger: Ledger, observes: bool, percents: bool = False) -> None:
        metric = next(m for m in ledger.tracer.metrics if m.name == binding.metric)
        counts = metric.kind != "gauge" and binding.counts == "increments"
        observes = observes and isinstance(metric, Histogram)
        self.metric = metric
        self.scale = binding.scale
        self.sums: Sums | None = ledger.count(metric.name) if counts or observes else None
        self.check: Check | None = None if self.sums else ledger.checks[metric.name]
        self._ledger = ledger
        self._value = binding.value
        self._percents = percents
        self._labels = tuple(binding.labels.get(name, name) for name in metric.labels)

    def apply(self, fields: Fields) -> bool:
        """Takes one record; False when the field of the value is not in it, so that it is none of this metric's."""
        text = fields.get(self._value) if self._value else "1"
        if text is None:
            return False
        number = number_of(text.rstrip().removesuffix("%") if self._percents else text)
        if number is None:
            self._ledger.rejections.add(Reason.NOT_A_NUMBER, f"{self.metric.name}: {self._value} is a number", text)
            return True
        key = self.key(fields)
        if key is not None:
            self._put(key, number if self.scale == 1.0 else number * self.scale)
        return True

    def key(self, fields: Fields) -> LabelValues | None:
        """The label values of a record; None, and counted, when a field is missing."""
        values = []
        for name in self._labels:
            text = fields.get(name)
            if text is None:
                self._ledger.rejections.add(
                    Reason.WRONG_LABELS, f"{self.metric.name}: the record has no field {name}", dict(fields)
                )
                return None
            values.append(text)
        return tuple(values)

    def _put(self, key: LabelValues, number: Number) -> None:
        if self.sums is not None:
            self.sums.add(key, number)
        else:
            put_check(self.check, key, number, self._ledger)


def put_check(check: Check | None, key: LabelValues, value: Value, ledger: Ledger) -> None:
    """A value that is the series' whole state: the newer one of a stream replaces the older."""
    assert check is not None
    if ledger.updates:
        check.replace(key, value)
    else:
        check.put(key, value)


def bind(
    bindings: Sequence[Binding], ledger: Ledger, observes: bool = True, percents: bool = False
) -> tuple[Bound, ...]:
    """Every binding of a format; without any, the tracer's one metric is bound to the fields of its labels' names."""
    if not bindings and len(ledger.tracer.metrics) == 1:
        bindings = (Binding(ledger.tracer.metrics[0].name),)
    return tuple(Bound(binding, ledger, observes, percents) for binding in bindings)


def number_of(text: str) -> Number | None:
    """The number that a text is, NaN and infinities by name included (they are refused later, as such); else None."""
    text = text.strip()
    if len(text) <= DIGITS and NUMBER.fullmatch(text):
        return int(text) if text.isdigit() and len(text) <= WHOLE_DIGITS else float(text)
    if text.lower().lstrip("+-") in ("nan", "inf", "infinity"):
        return -math.inf if text.startswith("-") else math.inf if "i" in text.lower() else math.nan
    return None
