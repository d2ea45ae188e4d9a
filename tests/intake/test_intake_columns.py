"""Format columns with names of the declaration's own, percent signs, and rows of one series under one header."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scalpels_exporter.declare import Binding, Columns, Counter, Gauge

LEVEL = "scalpels_try_level"
BY_MOUNT = (Gauge(LEVEL, "L.", ("mount",)),)
ALONE = (Gauge(LEVEL, "L."),)
NAMES = ("size", "used", "mount")
Build = Callable[..., Any]


def form(header: str = "", separator: str = r"\s+", value: str = "used") -> Columns:
    return Columns(header, separator, (Binding(LEVEL, value, {"mount": "mount"}),), NAMES)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (b"10 5 /\n", {("/",): 5}),
        (b"10 5 /mnt/my disk and more\n", {("/mnt/my disk and more",): 5}),
        (b"10 56% /\n10 5.5% 7%\n", {("/",): 56, ("7%",): 5.5}),
        (b"10 - /\n10 1.5K /a\n10 5%% /b\n10 % /c\n10 1 /d\n", {("/d",): 1}),
        (b"10 5\n10 6 /\n", {("/",): 6}),
    ],
)
def test_named_columns_hold_their_cells_whatever_the_header_says(build: Build, rows: bytes, expected: object) -> None:
    snapshot = build(form=form(), mode="rerun", metrics=BY_MOUNT).feed(b"Size Used Mounted on\n" + rows + b"\x1e\n")
    assert snapshot.families[LEVEL] == expected


def test_a_suffix_other_than_percent_is_refused_as_is_a_row_too_short(build: Build) -> None:
    intake = build(form=form(), mode="rerun", metrics=BY_MOUNT)
    intake.feed(b"Size Used Mounted on\n10 1.5K /a\n10 5\n\x1e\n")
    assert intake.rejected == {"not_a_number": 1, "unmatched_line": 1}
    assert intake.complaints()[1] == "unmatched_line: a row has 2 cells, 3 columns are named: '10 5'"


@pytest.mark.parametrize("again", [b"Size Used Mounted on\n", b"\nS U M\n"])
def test_each_table_has_its_header_skipped(build: Build, again: bytes) -> None:
    intake = build(form=form(), mode="stream", metrics=BY_MOUNT)
    first = intake.feed(b"Size Used Mounted on\n10 5 /\n" + again)
    assert first.families[LEVEL] == {("/",): 5}
    assert intake.feed(b"10 6 /\n\n").families[LEVEL] == {("/",): 6}
    assert intake.rejected == {}


def test_every_line_that_is_a_header_is_skipped(build: Build) -> None:
    intake = build(form=form(header="^(==|Size)"), mode="rerun", metrics=BY_MOUNT)
    snapshot = intake.feed(b"banner\n== disks ==\nSize Used Mounted on\n10 5 /\n\x1e\n")
    assert (snapshot.families[LEVEL], intake.rejected) == ({("/",): 5}, {})


def test_rows_of_one_series_under_one_header_say_the_state_anew(build: Build) -> None:
    metrics = (*ALONE, Counter("scalpels_try_total", "T."))
    bindings = (Binding(LEVEL, "r"), Binding("scalpels_try_total", "cs", counts="increments"))
    intake = build(form=Columns("^ r", bindings=bindings), mode="stream", metrics=metrics)
    assert intake.feed(b"procs ---\n r cs\n") is None
    assert intake.feed(b" 1  7\n").families == {LEVEL: {(): 1}, "scalpels_try_total": {(): 7}}
    assert intake.feed(b" 2  3\n 5  0\n").families == {LEVEL: {(): 5}, "scalpels_try_total": {(): 10}}
    assert intake.feed(b" r cs\n") is None
    assert intake.feed(b"\n r cs\n 0  1\n").families == {LEVEL: {(): 0}, "scalpels_try_total": {(): 11}}
    assert intake.rejected == {}


def test_a_row_of_one_series_stands_once_in_the_table_of_a_run(build: Build) -> None:
    intake = build(form=Columns(bindings=(Binding(LEVEL, "r"),)), mode="rerun", metrics=ALONE)
    assert intake.feed(b"r\n1\n2\n\x1e\n").families[LEVEL] == {(): 1}
    assert intake.rejected == {"duplicate_series": 1}
