"""The overhead budget: who is over its share, over which time."""

from __future__ import annotations

import pytest

from scalpels_exporter.supervise.overhead import SHED_SECONDS, THIN_SECONDS, Spending, over_share


@pytest.mark.parametrize(
    ("cores", "budget", "over"),
    [
        ({}, 0.02, set()),
        ({"a": 0.019}, 0.02, set()),
        ({"a": 0.021}, 0.02, {"a"}),
        ({"a": 0.015, "b": 0.001}, 0.02, set()),  # more than half of the budget, but all together are within it
        ({"a": 0.019, "b": 0.002}, 0.02, {"a"}),
        ({"a": 0.03, "b": 0.03}, 0.02, {"a", "b"}),
    ],
)
def test_only_who_is_over_its_share_of_a_budget_that_is_exceeded(
    cores: dict[str, float], budget: float, over: set[str]
) -> None:
    assert over_share(cores, budget) == over


def test_a_tracer_is_not_judged_before_it_was_watched_for_the_whole_window() -> None:
    spending = Spending()
    spending.note(0.0, 0.0)
    spending.note(30.0, 30.0)
    assert spending.cores(30.0, THIN_SECONDS) is None
    spending.note(60.0, 60.0)
    assert spending.cores(60.0, THIN_SECONDS) == pytest.approx(1.0)


def test_the_window_forgets_what_was_before_it_and_memory_is_bounded() -> None:
    spending = Spending()
    for second in range(0, 2000):
        spending.note(float(second), 100.0 if second > 1000 else second / 10)
    assert spending.cores(1999.0, THIN_SECONDS) == 0.0
    assert spending.cores(1999.0, SHED_SECONDS) == 0.0
    assert len(spending.points) <= SHED_SECONDS + 2


def test_points_closer_than_a_second_are_not_kept() -> None:
    spending = Spending()
    for n in range(100):
        spending.note(n / 100, 0.0)
    assert len(spending.points) == 1
