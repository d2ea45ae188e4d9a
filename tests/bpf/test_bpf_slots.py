"""The sub-bucket of a whole number, against exact arithmetic."""

from math import isqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalpels_exporter.bpf.slots import NANOSECONDS, PLAIN, SECONDS, Scale, slot_of, slots
from scalpels_exporter.declare import Exponential
from scalpels_exporter.intake.buckets import sub_bucket

BUCKETS = {"seconds": (NANOSECONDS, SECONDS, Exponential(-20, 4)), "bytes": (1, PLAIN, Exponential(0, 30))}


def exact(value: int, one: int, buckets: Exponential) -> int:
    """value <= one * 2**(i/4) in whole numbers: both sides to the fourth power."""
    for slot in range(slots(buckets) - 1):
        index = 4 * buckets.lowest + slot
        if value**4 << max(0, -index) <= one**4 << max(0, index):
            return slot
    return slots(buckets) - 1


@pytest.mark.parametrize("unit", BUCKETS)
@given(value=st.integers(0, 2**64 - 1) | st.integers(0, 2**36))
def test_every_whole_number_falls_into_its_sub_bucket(unit: str, value: int) -> None:
    one, scale, buckets = BUCKETS[unit]
    assert slot_of(value, scale, buckets) == exact(value, one, buckets)


@pytest.mark.parametrize("unit", BUCKETS)
def test_the_last_number_below_a_bound_and_the_first_above_are_told_apart(unit: str) -> None:
    one, scale, buckets = BUCKETS[unit]
    for index in range(4 * buckets.lowest, 4 * buckets.highest + 1):
        bound = isqrt(isqrt(one**4 << index if index >= 0 else one**4 >> -index))
        for value in (bound, bound + 1):
            assert slot_of(value, scale, buckets) == exact(value, one, buckets), (index, value)


def test_a_power_of_two_seconds_is_the_last_value_of_its_sub_bucket_as_in_the_intake() -> None:
    buckets = Exponential(-20, 4)
    for power in range(0, 5):
        assert slot_of(NANOSECONDS << power, SECONDS, buckets) == sub_bucket(2.0**power) + 80


def test_limits_are_ascending_64_bit_numbers_with_the_highest_bit_set() -> None:
    for scale in (SECONDS, PLAIN):
        assert isinstance(scale, Scale)
        assert list(scale.limits) == sorted(set(scale.limits))
        assert all(limit >> 63 == 1 for limit in scale.limits)
