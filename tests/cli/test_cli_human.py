"""Numbers as people read them."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalpels_exporter.cli import human


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (1e-9, "1.00 ns"),
        (2.0**-20, "954 ns"),
        (2.0**-19, "1.91 µs"),
        (0.0009999, "1.00 ms"),
        (0.001234, "1.23 ms"),
        (0.0625, "62.5 ms"),
        (0.99999, "1.00 s"),
        (59.9, "59.9 s"),
        (59.99, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (3725, "1 h 2 min"),
        (190_000, "2 d 4 h"),
    ],
)
def test_a_span_has_three_digits_and_the_unit_that_fits(seconds: float, text: str) -> None:
    assert human.span(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (512, "512 B"),
        (1000, "0.98 KiB"),
        (1024, "1.00 KiB"),
        (1536, "1.50 KiB"),
        (2**20, "1.00 MiB"),
        (2**20 - 1, "1.00 MiB"),
        (3.3e12, "3.00 TiB"),
        (0.5, "0.50 B"),
    ],
)
def test_bytes_are_in_powers_of_1024(value: float, text: str) -> None:
    assert human.size(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1207, "1,207"),
        (99_999, "99,999"),
        (123_456, "123 k"),
        (1_500_000, "1.50 M"),
        (0.5, "0.50"),
        (12.34, "12.3"),
    ],
)
def test_a_count_is_exact_until_it_is_long(value: float, text: str) -> None:
    assert human.count(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.25, "seconds", "250 ms/s"),
        (90, "seconds", "90.0 s/s"),
        (1536, "bytes", "1.50 KiB/s"),
        (241.3, "", "241/s"),
        (75_697, "", "75.7 k/s"),
        (3, "celsius", "3 celsius/s"),
    ],
)
def test_a_rate_never_mixes_minutes_with_seconds(value: float, unit: str, text: str) -> None:
    assert human.rate(value, unit) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.534, "ratio", "53.4 %"),
        (-1536, "bytes", "-1.50 KiB"),
        (math.inf, "seconds", "∞"),
        (-math.inf, "", "-∞"),
        (math.nan, "bytes", "NaN"),
        (21.5, "celsius", "21.5 celsius"),
    ],
)
def test_a_gauge_may_be_anything(value: float, unit: str, text: str) -> None:
    assert human.level(value, unit) == text


def test_a_gauge_that_is_a_unix_time_is_written_as_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(human.time, "localtime", human.time.gmtime)
    assert human.level(1_700_000_000, "seconds") == "2023-11-14 22:13:20"
    assert human.level(86_400, "seconds") == "1 d"


@pytest.mark.parametrize(
    ("seconds", "text"), [(-3, "0 s"), (5.9, "5 s"), (61, "1 min"), (7300, "2 h"), (200_000, "2 d")]
)
def test_an_age_has_its_greatest_unit_alone(seconds: float, text: str) -> None:
    assert human.ago(seconds) == text


@given(st.floats(min_value=0, max_value=1e15), st.sampled_from(["seconds", "bytes", "ratio", ""]))
def test_every_number_is_short(value: float, unit: str) -> None:
    text = human.quantity(value, unit)
    assert len(text) <= 22
    assert re.match(r"[0-9]", text)
