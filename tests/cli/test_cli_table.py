"""Alignment, and what gives way in a narrow terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from scalpels_exporter.cli.clean import clean
from scalpels_exporter.cli.table import Column, Table

COLUMNS = (Column("NAME", elastic=True), Column("COUNT", right=True), Column("LEASE"), Column("WHY", elastic=True))


def lines(table: Table, width: int | None = None) -> list[str]:
    return [line.plain for line in table.lines(width)]


def test_numbers_stand_at_the_right_and_an_empty_column_is_left_out() -> None:
    table = Table(COLUMNS)
    table.add("a", "1", "", "because")
    table.add("long name", "1,207", "", "")
    assert lines(table) == ["NAME       COUNT  WHY", "a              1  because", "long name  1,207"]


def test_the_widest_elastic_column_is_shortened_first() -> None:
    table = Table(COLUMNS)
    table.add("short", "1", "9 min", "a reason that is far too long for this terminal")
    narrow = lines(table, 40)
    assert max(map(len, narrow)) == 40
    assert narrow[1] == "short      1  9 min  a reason that is f…"


def test_all_elastic_columns_shrink_where_one_is_not_enough() -> None:
    table = Table(COLUMNS)
    table.add("n" * 40, "1", "", "w" * 40)
    _, row = lines(table, 41)
    assert row == f"{'n' * 15}…      1  {'w' * 15}…"


def test_wide_characters_take_two_cells() -> None:
    table = Table((Column("A", elastic=True), Column("B")))
    table.add("世界", "x")
    table.add("abcd", "y")
    assert lines(table) == ["A     B", "世界  x", "abcd  y"]


@given(st.lists(st.tuples(*[st.text(max_size=60)] * 4), max_size=5), st.integers(60, 200))
def test_no_line_is_longer_than_the_terminal(rows: list[tuple[str, str, str, str]], width: int) -> None:
    table = Table(
        (Column("A", elastic=True), Column("B", elastic=True), Column("C", elastic=True), Column("D", elastic=True))
    )
    for row in rows:
        table.add(*map(clean, row))
    assert all(cell_len(line) <= width for line in lines(table, width))


def test_what_comes_from_a_worker_cannot_command_the_terminal() -> None:
    assert clean("a\x1b[31mred\x07\n\u202eb\x9b") == "a\ufffd[31mred\ufffd \ufffdb\ufffd"
