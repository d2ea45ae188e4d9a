"""No line of a worker, however long and odd, holds the agent up in one of our own regular expressions."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from scalpels_exporter.intake import log2, logfmt, textline
from scalpels_exporter.intake.lines import EVERY_NUMBER

LONG = 200_000
MOST_SECONDS = 2.0  # what takes steps back takes minutes at this length

Hostile = tuple[Callable[[str], object], str]
HOSTILE: dict[str, Hostile] = {
    "digits before two points": (lambda x: list(EVERY_NUMBER.finditer(x)), "1" * LONG + ".1."),
    "digits before a point": (lambda x: list(EVERY_NUMBER.finditer(x)), "1" * LONG + ".."),
    "exponent": (lambda x: list(EVERY_NUMBER.finditer(x)), "1e" + "1" * LONG + ".."),
    "blanks after a number": (lambda x: list(EVERY_NUMBER.finditer(x)), "1" + " " * LONG + "."),
    "many numbers": (lambda x: list(EVERY_NUMBER.finditer(x)), "1 " * (LONG // 2)),
    "header with blanks": (log2.BCC_HEADER.match, "x" + " " * LONG + "x"),
    "header again and again": (log2.BCC_HEADER.match, "x : count distribution " * (LONG // 23) + "x"),
    "section with blanks": (log2.BCC_SECTION.match, "a = " + " " * LONG + "x"),
    "totals": (log2.BCC_TOTAL.match, "avg = 1 " + "total: 1 count: 1 " * (LONG // 18) + "x"),
    "bpftrace keys": (log2.BPFTRACE_HEADER.match, "@[" + "]: " * (LONG // 3) + "x"),
    "series with blanks": (textline.series_of, "a" + " " * LONG + "x"),
    "labels with backslashes": (textline.series_of, 'a{b="' + "\\\\" * (LONG // 2) + "}"),
    "labels with blanks": (textline.series_of, "a{" + " " * LONG + "}"),
    "an open quote": (logfmt.fields_of, 'a="' + "x " * (LONG // 2)),
    "a key without end": (logfmt.fields_of, "a" * LONG),
}


@pytest.mark.parametrize(("read", "line"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_line_is_read_in_time(read: Callable[[str], object], line: str) -> None:
    began = time.thread_time()
    read(line)
    assert time.thread_time() - began < MOST_SECONDS


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("12.00 pkt/s 3400.00 byte/s", [("12.00", "pkt/s"), ("3400.00", "byte/s")]),
        ("eth0 5 5. .5 -3e2x", [("5", None), ("5.", None), (".5", None), ("-3e2", "x")]),
        ("1.2.3 v1 1..2", []),
        ("1.5e3.2", [("1.5", "e3.2")]),
    ],
)
def test_every_number_that_stands_by_itself_is_found(line: str, expected: list[tuple[str, str | None]]) -> None:
    assert [(match["value"], match["unit"]) for match in EVERY_NUMBER.finditer(line)] == expected
