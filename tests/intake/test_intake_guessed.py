"""Format lines without a pattern: what is a number, what is its unit, and what had better be no number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scalpels_exporter.declare import Counter, Gauge, Lines
from scalpels_exporter.intake.guessed import numbers_in


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("12.00 pkt/s 3400.00 byte/s", [("12.00", "pkt/s"), ("3400.00", "byte/s")]),
        ("7", [("7", "")]),
        ("7 8 9", [("7", ""), ("8", ""), ("9", "")]),
        ("eth0 5 5. .5 -3e2x", [("5", ""), ("5.", ""), (".5", ""), ("-3e2", "x")]),
        ("+1.5 % of .5 CPUs", [("+1.5", "%"), (".5", "CPUs")]),
        ("12ms 56% 3KiB 5/s 3.5MB/s 40°C 7µs", [
            ("12", "ms"), ("56", "%"), ("3", "KiB"), ("5", "/s"), ("3.5", "MB/s"), ("40", "°C"), ("7", "µs"),
        ]),
        ("3KiB read", [("3", "KiB")]),
        ("load: 3", [("3", "")]),
        ("TCP:   12 (estab 5, closed 3)", [("12", "estab"), ("5", ""), ("3", "")]),
        ("3 KiB, 12ms; (4) [5] {6} '7' 8.", [
            ("3", "KiB"), ("12", "ms"), ("4", ""), ("5", ""), ("6", ""), ("7", ""), ("8.", ""),
        ]),
        ("MemTotal:       8123456 kB", [("8123456", "kB")]),
        ("5 | 6 - 7 / 8 = 9", [("5", ""), ("6", ""), ("7", ""), ("8", ""), ("9", "")]),
        ("5 2026-11-23", [("5", "")]),
        ("1st 1e5 1e 1e5m", [("1", "st"), ("1e5", ""), ("1", "e"), ("1e5", "m")]),
        ("5 \u20ac", [("5", "\u20ac")]),
    ],
)  # fmt: skip
def test_a_word_of_its_own_is_a_number_and_what_follows_its_unit(line: str, expected: list[tuple[str, str]]) -> None:
    assert list(numbers_in(line)) == expected


@pytest.mark.parametrize(
    "word",
    [
        "1,234,567", "1,234.5", "1,5", "1.234,56", "1'234", "1_000", "1\u202f234", "1\u00a0234",
        "10:22:33", "10:22", "5:", "2026-11-23", "2026-11-23T10:22:33Z", "23.11.2026", "11/23", "3d4h",
        "1.2.3", "1.2.3.4", "10.0.0.1/24", "v1", "1..2", "1.5e3.2", "0x10", "0xff", "0Xff", "0b101", "0o17",
        "eth0", "x86_64", "sda1", "rx=12", "12=rx", "<5ms", "~5", "5-7", "--5", "+-5", "#5", "$5", "5a6", "5+", "5-",
        "\u0663", "5\u0663", "½", ".", "-", "+.", "", "%", "nan", "inf", "1e5.2", "fe80::1", "00:1b:44", "a5", "(x5)",
    ],
)  # fmt: skip
def test_half_a_number_is_none(word: str) -> None:
    assert list(numbers_in(word)) == []
    assert list(numbers_in(f"a {word} b")) == []


def test_a_number_with_separators_is_refused_and_not_cut(build: Callable[..., Any]) -> None:
    intake = build(form=Lines(), mode="stream", metrics=(Counter("scalpels_try_total", "T.", ("unit",)),))
    assert intake.feed(b"1,234,567 bytes\n") is None
    assert intake.rejected == {"unmatched_line": 1}
    (complaint,) = intake.complaints()
    assert complaint == "unmatched_line: no word of a line is a number: '1,234,567 bytes'"


@pytest.mark.parametrize(
    "text",
    [
        b"\x1b[32m12\x1b[0m pkt/s\n",
        b"\x1b[1;38;5;208m12\x1b[m \x1b[Kpkt/s\x1b[0m\n",
        b"\x1b(B12\x1b[m pkt/s\r\n",
        b"\x1b[2J\x1b[H12 pkt/s\n",
    ],
)
@pytest.mark.parametrize("pattern", ["", r"^(?P<value>\d+) (?P<unit>\S+)$"])
def test_colours_are_no_part_of_what_is_printed(build: Callable[..., Any], pattern: str, text: bytes) -> None:
    metrics = (Gauge("scalpels_try_value", "V.", ("unit",)),)
    intake = build(form=Lines(pattern), mode="stream", metrics=metrics)
    assert intake.feed(text).families == {"scalpels_try_value": {("pkt/s",): 12}}
    assert intake.rejected == {}


@pytest.mark.parametrize(
    ("form", "refused"),
    [
        (Lines(), 1),
        (Lines(r"(?P<unit>\w+) (?P<value>\d+)"), 1),
        (Lines(r"(?P<unit>\w+) (?P<value>\d+)", skip="^wor|never"), 0),
        (Lines(r"^words|(?P<unit>\w+) (?P<value>\d+)"), 0),
    ],
)
def test_comments_and_blank_lines_are_passed_over_and_headers_on_demand(
    build: Callable[..., Any], form: Lines, refused: int
) -> None:
    intake = build(form=form, mode="stream", metrics=(Gauge("scalpels_try_value", "V.", ("unit",)),))
    intake.feed(b"# a comment\n  # another, without 1 pair\n\n \t\nwords alone\n")
    assert intake.rejected == ({"unmatched_line": refused} if refused else {})


def test_what_is_to_be_skipped_is_skipped_though_it_matches(build: Callable[..., Any]) -> None:
    intake = build(form=Lines(skip="^total"), mode="stream", metrics=(Gauge("scalpels_try_value", "V.", ("unit",)),))
    assert intake.feed(b"3 a\ntotal 5 a\n").families == {"scalpels_try_value": {("a",): 3}}


def test_a_pattern_may_take_its_records_from_comments(build: Callable[..., Any]) -> None:
    metrics = (Gauge("scalpels_try_value", "V."),)
    intake = build(form=Lines(r"^# rows: (?P<value>\d+)"), mode="stream", metrics=metrics)
    assert intake.feed(b"# rows: 5\n").families == {"scalpels_try_value": {(): 5}}
