"""No line of a worker, however long and odd, holds the agent up in one of our own regular expressions."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from scalpels_exporter.intake import guessed, log2, logfmt, records, textline

LONG = 200_000
MOST_SECONDS = 2.0  # what takes steps back takes minutes at this length

Hostile = tuple[Callable[[str], object], str]
HOSTILE: dict[str, Hostile] = {
    "digits before two points": (lambda x: list(guessed.numbers_in(x)), "1" * LONG + ".1."),
    "digits before a point": (lambda x: list(guessed.numbers_in(x)), "1" * LONG + ".."),
    "exponent": (lambda x: list(guessed.numbers_in(x)), "1e" + "1" * LONG + ".."),
    "blanks after a number": (lambda x: list(guessed.numbers_in(x)), "1" + " " * LONG + "."),
    "many numbers": (lambda x: list(guessed.numbers_in(x)), "1 " * (LONG // 2)),
    "a unit that ends oddly": (lambda x: list(guessed.numbers_in(x)), "1" + "a" * LONG + "1"),
    "brackets before a number": (lambda x: list(guessed.numbers_in(x)), "(" * LONG + "x"),
    "commas after a number": (lambda x: list(guessed.numbers_in(x)), "1" + "," * LONG + "x"),
    "signs in the place of a unit": (lambda x: list(guessed.numbers_in(x)), "1 " + "+-" * (LONG // 2)),
    "an escape without end": (lambda x: records._ESCAPES.sub(b"", x.encode()), "\x1b[" + "1;" * (LONG // 2)),
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
