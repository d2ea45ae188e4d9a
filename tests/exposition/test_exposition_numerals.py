"""Every number is written as prometheus_client writes it."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client.utils import floatToGoString

from scalpels_exporter.exposition.numerals import bound_numeral, count_numeral, numeral

EDGES = [0, 1, 999_999, 1_000_000, 1_000_001, 1_234_567, 9_999_999, 10_000_000, 2**53, 2**53 + 1, 10**15, 10**16, 2**64]


@given(st.floats() | st.integers(-(2**70), 2**70))
@example(1e6)
@example(1234567.5)
@example(-0.0)
@example(-1e7)
@example(123456789012345.6)
@example(1e16)
@example(1.5e16)
@example(1e-7)
@example(20000000.0)
def test_a_value_is_written_as_prometheus_client_does(value: float) -> None:
    assert numeral(value).decode() == floatToGoString(value)


@given(st.integers(0, 2**66))
def test_a_count_is_written_as_prometheus_client_does(count: int) -> None:
    assert count_numeral(count).decode() == floatToGoString(count)


@pytest.mark.parametrize("edge", EDGES)
def test_the_edges_of_the_exponent(edge: int) -> None:
    assert numeral(edge).decode() == count_numeral(edge).decode() == floatToGoString(edge)


@pytest.mark.parametrize("bound", [2.0**-20, 0.25, 1.0, 16.0, 2.0**20, 1e6, math.inf])
def test_a_bound_is_written_as_prometheus_client_does(bound: float) -> None:
    assert bound_numeral(bound) == floatToGoString(bound)
