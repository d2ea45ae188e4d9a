"""Durations as text and as seconds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalpels_exporter.config.durations import parse, render


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("5m", 300),
        ("1h30m", 5400),
        ("250ms", 0.25),
        ("2d", 172800),
        ("1d2h3m4s5ms", 93784.005),
        ("1.5h", 5400),
        ("90", 90),
        ("0.5", 0.5),
        ("0s", 0),
        (" 10s ", 10),
    ],
)
def test_a_duration_is_read_as_seconds(text: str, seconds: float) -> None:
    assert parse(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "s", "m5", "10x", "5 m", "5m1h", "5m5m", "-5s", "1e3", "٣s", "nan", "inf", "1w", "4000d", "9" * 50, "10S"],
)
def test_anything_else_is_refused_with_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="duration") as caught:
        parse(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(600, "10m"), (5400, "1h30m"), (0.25, "250ms"), (0, "0s"), (0.0001, "0s"), (90061, "1d1h1m1s"), (59.9996, "1m")],
)
def test_seconds_are_rendered_in_the_largest_units(seconds: float, text: str) -> None:
    assert render(seconds) == text


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
def test_what_is_no_duration_is_not_rendered(seconds: float) -> None:
    with pytest.raises(ValueError, match="no duration"):
        render(seconds)


@given(st.integers(0, 10**10))
def test_what_is_rendered_reads_back(milliseconds: int) -> None:
    assert parse(render(milliseconds / 1000)) == pytest.approx(milliseconds / 1000, abs=1e-6)
