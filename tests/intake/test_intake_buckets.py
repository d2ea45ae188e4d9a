"""Sub-buckets are exact at their bounds, against fractions; sums and comparisons against counting by hand."""

import math
from collections import Counter as Tally
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalpels_exporter.declare import Counts, Explicit, Exponential
from scalpels_exporter.intake.buckets import Buckets, fell, sub_bucket, total_of


@given(st.floats(min_value=1e-300, max_value=1.7e308))
def test_a_value_lies_in_its_sub_bucket_exactly(value: float) -> None:
    index = sub_bucket(value)
    fourth_power = Fraction(value) ** 4
    # 2**((i-1)/4) < value <= 2**(i/4), to the fourth power so that no root is rounded; the three bounds within an
    # octave that are irrational are the nearest float, which counts as the bound.
    assert fourth_power <= Fraction(2) ** index or value == 2.0 ** (index / 4)
    assert fourth_power > Fraction(2) ** (index - 1)
    assert value != 2.0 ** ((index - 1) / 4)


@pytest.mark.parametrize("power", range(-1000, 1000, 7))
def test_a_power_of_two_is_the_last_value_of_its_sub_bucket(power: int) -> None:
    bound = math.ldexp(1.0, power)
    assert sub_bucket(bound) == 4 * power
    assert sub_bucket(math.nextafter(bound, math.inf)) == 4 * power + 1
    assert sub_bucket(math.nextafter(bound, 0)) == 4 * power


@given(st.lists(st.floats(-3, 40)), st.sampled_from([Exponential(-3, 3), Explicit((0.5, 1.0, 8.0))]))
def test_observations_count_in_every_bucket_at_or_above_them(values: list[float], buckets) -> None:
    histogram = Buckets(buckets)
    for value in values:
        histogram.observe(value)
        histogram.add_sum(value)
    state = histogram.state()
    step = 4 if isinstance(buckets, Exponential) else 1
    for number, bound in enumerate(buckets.bounds()):
        last = number * step
        assert state.zero + sum(state.counts[: last + 1]) == sum(value <= bound for value in values)
    assert state.zero + sum(state.counts) == len(values)
    assert state.sum == pytest.approx(math.fsum(values))


states = st.builds(
    Counts, st.integers(0, 100), st.lists(st.integers(0, 9), max_size=6), st.integers(-9, 9), st.integers(0, 3)
)


def tally(state: Counts) -> Tally[int]:
    return Tally({state.first + n: count for n, count in enumerate(state.counts)})


@given(st.lists(states, min_size=1, max_size=5))
def test_the_total_holds_each_sub_buckets_observations(several: list[Counts]) -> None:
    total = total_of(several)
    assert total is not None
    assert +tally(total) == sum((+tally(state) for state in several), Tally())
    assert (total.sum, total.zero) == (sum(s.sum for s in several), sum(s.zero for s in several))


@given(states, states)
def test_a_histogram_fell_when_one_sub_bucket_did(before: Counts, now: Counts) -> None:
    expected = now.zero < before.zero or any(tally(now)[index] < count for index, count in tally(before).items())
    assert fell(before, now) == expected


def test_the_total_of_none_is_none() -> None:
    assert total_of([]) is None
