"""Histogram states → buckets and quantiles."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalpels_exporter.cli.spread import Bucket, gained
from scalpels_exporter.declare import Counts, Explicit, Exponential
from scalpels_exporter.intake.buckets import Buckets, sub_bucket

EXPONENTIAL = Exponential(-20, 4)


def state(values: list[float], buckets: Exponential | Explicit = EXPONENTIAL) -> Counts:
    made = Buckets(buckets)
    for value in values:
        made.observe(value)
        made.add_sum(value)
    return made.state()


def test_what_was_there_before_is_taken_off() -> None:
    spread = gained(state([0.001, 0.001, 0.5]), state([0.001, 0.001, 0.5, 0.001, 0.25]), EXPONENTIAL)
    assert spread.count == 2
    assert spread.sum == pytest.approx(0.251)


def test_two_states_with_other_offsets_are_the_same_histogram() -> None:
    before, now = Counts(1.0, [1], first=-4), Counts(3.0, [2, 0, 0, 0, 1, 0, 0, 1, 1], first=-8)
    spread = gained(before, now, EXPONENTIAL)
    assert [bucket.count for bucket in spread.buckets] == [2, 0, 0, 0, 0, 0, 0, 1, 1]


@given(st.lists(st.floats(2.0**-20, 16.0), min_size=1, max_size=200), st.sampled_from([0.5, 0.9, 0.99]))
def test_a_quantile_is_within_one_sub_bucket_of_the_true_one(values: list[float], share: float) -> None:
    true = sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
    found = gained(None, state(values), EXPONENTIAL).quantile(share)
    assert true / 2**0.26 <= found <= true * 2**0.26


@given(st.lists(st.floats(2.0**-20, 16.0), min_size=1, max_size=200))
def test_the_powers_of_two_hold_all_that_their_sub_buckets_held(values: list[float]) -> None:
    spread = gained(None, state(values), EXPONENTIAL)
    powers = spread.by_powers()
    assert powers.count == spread.count == len(values)
    assert all(bucket.high == 2 * bucket.low for bucket in powers.buckets)
    assert all(a.high == b.low for a, b in zip(powers.buckets, powers.buckets[1:], strict=False))
    for bucket in powers.buckets:
        assert bucket.count == sum(bucket.low < value <= bucket.high for value in values)


def test_zero_has_a_bucket_of_its_own() -> None:
    spread = gained(None, state([0.0, 0.0, 1.0]), EXPONENTIAL)
    assert spread.by_powers().buckets == (Bucket(0.0, 0.0, 2), Bucket(0.5, 1.0, 1))
    assert spread.quantile(0.5) == 0


def test_written_bounds_are_interpolated_evenly_as_histogram_quantile_does() -> None:
    bounds = Explicit((1.0, 2.0, 4.0))
    spread = gained(None, state([1.5, 1.5, 3.0, 3.0], bounds), bounds)
    assert spread.quantile(0.5) == 2.0
    assert spread.quantile(0.75) == 3.0


def test_the_open_bucket_gives_its_finite_bound() -> None:
    bounds = Explicit((1.0, 2.0))
    spread = gained(None, state([7.0, 8.0], bounds), bounds)
    assert spread.buckets == (Bucket(2.0, math.inf, 2),)
    assert spread.quantile(0.99) == 2.0


def test_nothing_gained_has_no_quantile() -> None:
    spread = gained(state([1.0]), state([1.0]), EXPONENTIAL)
    assert spread.count == 0
    assert math.isnan(spread.quantile(0.5))
    assert spread.by_powers().buckets == ()


def test_a_tool_that_knows_powers_alone_is_interpolated_over_the_whole_power() -> None:
    counts = Counts(0.0, [4], first=sub_bucket(1.0))
    assert gained(None, counts, EXPONENTIAL, coarse=True).buckets == (Bucket(0.5, 1.0, 4),)
    assert gained(None, counts, EXPONENTIAL).buckets[0].low == pytest.approx(2**-0.25)
