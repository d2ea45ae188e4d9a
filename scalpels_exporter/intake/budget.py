"""The series budget of one tracer: who still gets a series of its own, and what is kept of those who do not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from scalpels_exporter.declare import Counts, Number
from scalpels_exporter.intake.buckets import total_of
from scalpels_exporter.intake.snapshot import LabelValues, Value

OTHER = "other"

# A snapshot of more than this many lines for each series of the budget is refused, and no more folded label sets
# than that are remembered: enough for a worker that is wrong by an order of magnitude, bounded for one that floods.
EXCESS = 20


class Slots:
    """The places of a tracer's budget, shared by its metrics. `folded` only grows."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.most = EXCESS * max(budget, 1)
        self.used = 0
        self.folded = 0

    def take(self) -> bool:
        if self.used >= self.budget:
            return False
        self.used += 1
        return True


class Fold:
    """The label sets of one metric that found no slot: each one's last good value, and what they sum up to.

    A counter's or histogram's sum never falls: a member that the worker no longer prints stays in it at its last
    value. When more members are remembered than `most`, those that have vanished become one anonymous amount; if one
    of them comes back it is counted anew, which errs upwards and never backwards.
    """

    def __init__(self, slots: Slots, gauges: bool) -> None:
        self.members: dict[LabelValues, Value] = {}
        self.now: dict[LabelValues, Value] = {}  # of the snapshot being built
        self._slots = slots
        self._gauges = gauges
        self._spent: Value | None = None

    def has_room(self) -> bool:
        return len(self.members) + len(self.now) < 2 * self._slots.most

    def reopen(self, key: LabelValues) -> None:
        """A later line of a stream will say it anew: what was said becomes the past."""
        if key in self.now:
            self._slots.folded += key not in self.members
            self.members[key] = self.now.pop(key)

    def close(self, keep: bool) -> Value | None:
        """Ends a snapshot; None when nothing is folded. With `keep`, members not printed again are still present."""
        self._slots.folded += len(self.now.keys() - self.members.keys())
        if not keep and (self._gauges or len(self.members) > self._slots.most):
            lost = [self.members.pop(key) for key in self.members.keys() - self.now.keys()]
            if not self._gauges:
                self._spent = sum_values(lost if self._spent is None else [self._spent, *lost])
        self.members.update(self.now)
        self.now = {}
        present = self.members.values()
        return sum_values(present if self._spent is None else [self._spent, *present])

    def abandon(self) -> None:
        self.now = {}

    def clear(self) -> None:
        self.now = {}
        self.members = {}
        self._spent = None


def sum_values(values: Iterable[Value]) -> Value | None:
    """Values of one kind added up; None of none."""
    numbers: list[Number] = []
    states: list[Counts] = []
    for value in values:
        if isinstance(value, Counts):
            states.append(value)
        else:
            numbers.append(value)
    return total_of(states) if states else (sum(numbers) if numbers else None)


def with_other(
    family: dict[LabelValues, Value], other: LabelValues, folded: Value | None
) -> Mapping[LabelValues, Value]:
    """The family as exported: itself when nothing is folded, else with the folded sum in the series `other`."""
    if folded is None:
        return family
    own = family.get(other)
    both = folded if own is None else sum_values([own, folded])
    assert both is not None
    return {**family, other: both}
