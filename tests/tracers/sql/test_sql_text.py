"""What the kernel leaves of a statement: the same C, compiled for this host, against tables and a plain reading."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from plain_reading import read
from sql_machine import NO, UNKNOWN, YES, Read, read_text

BOTH = ("mysql", "postgresql")
PIECES = (
    *("select", "NULL", "true", "Default", "values", "a", "b1", "B", "e", "E", "x", "N", "_utf8", "é", "中", "@", "M"),
    *(
        " ",
        "  ",
        "\n",
        "\t",
        "\r",
        ",",
        ", ",
        "(",
        ")",
        ";",
        "=",
        "-",
        "+",
        "*",
        "/",
        "<",
        ">",
        "]",
        "[",
        ":",
        ".",
        "!",
    ),
    *(
        "--",
        "-- c\n",
        "#x\n",
        "/*",
        "*/",
        "/* c */",
        "/*! x */",
        "/*M!",
        "/*+",
        "\\",
        '"',
        "`",
        "'",
        "''",
        "$",
        "$$",
        "?",
    ),
    *("'a'", "'it''s'", "'a\\'b'", '"q"', "`n`", "E'a\\'b'", "X'4d'", "$$a$$", "$t$", "$t$ x $t$", "$1", "\0", "\x7f"),
    *("1", "12", "0x1F", "1e5", "1e-5", "1e", "1.5", ".5", "+5", "-5", "- 5", "(1, 2)", "(1),(2)", "(null)"),
)
TEXTS = some.one_of(
    some.lists(some.sampled_from(PIECES), max_size=16).map("".join),
    some.text("'\"\\`$-#/*!;,()=.+eExnNM01a_ \n?@é\x7f\0", max_size=20),
)


def text_of(found: list[Read]) -> list[str]:
    return [one.text.decode() + "…" * one.cut for one in found]


@settings(max_examples=3000, deadline=None)
@given(TEXTS, some.sampled_from((("mysql", UNKNOWN), ("mysql", YES), ("mysql", NO), ("postgresql", UNKNOWN))))
def test_it_reads_as_the_plain_reading_does(text: str, where: tuple[str, int]) -> None:
    system, escapes = where
    assert text_of(read_text(text.encode(), system, escapes)) == [
        left + "…" * cut for left, cut in read(text, system, escapes)
    ]


@pytest.mark.parametrize("system", BOTH)
@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("SELECT  Name,N\n FROM items WHERE id=7", "select name, n from items where id=?"),
        ("SELECT 1 -- one\n, -2, +3 /* two */", "select ?"),
        ("SELECT a - 1, a -1, (-1), a > -1, - a", "select a - ?, a -?, (?), a > ?, - a"),
        ("select * from t where id in (1, 2, 3) and b IN('x')", "select * from t where id in (?) and b in(?)"),
        ("INSERT INTO t (a, b) VALUES (1, 'x'), (NULL, 'y'), (-3, DEFAULT)", "insert into t (a, b) values (?)"),
        ("INSERT INTO t VALUES (1, now()), (2, now())", "insert into t values (?, now()), (?, now())"),
        ("UPDATE t SET a = NULL, b = TRUE WHERE c IS NULL", "update t set a = ?, b = ? where c is null"),
        ("SELECT 0x1F, 1.5e-7, 1E+9, 12abc, x'4D', N'n', b'01'", "select ?"),
        ("SELECT f(1), (2), g((3)), (4, a), (5)", "select f(?), g((?)), (?, a), (?)"),
        ("SELECT 'it''s', '', 'a;b', '--', '/*', '$$'", "select ?"),
        ("SELECT/* near */1", "select ?"),
        ("SELECT 'never ended", "select ?…"),
        ("SELECT 1 /* never ended", "select ?…"),
        ("", ""),
    ],
)
def test_both_systems(system: str, text: str, left: str) -> None:
    assert text_of(read_text(text.encode(), system, YES if system == "mysql" else UNKNOWN)) == [left]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (r"SELECT 'a\'b', 'c\\', \"d\", \"e\"\"f\"".replace(r"\"", '"'), "select ?"),
        ("SELECT `Na``me` FROM `t` # a comment\nWHERE `n` = ?", "select `Na``me` from `t` where `n` = ?"),
        ("SELECT a--1, b-- 1\n", "select a--?, b"),
        ("SELECT _utf8'x', _binary \"y\"", "select ?, _binary ?"),
        ("/*!40101 SET NAMES utf8 */", ""),
        ("SELECT /*! STRAIGHT_JOIN */ 1", "select ?"),
        ("SELECT /*!99999 don't */ 1, 'x'", "select…"),
        ("SELECT /*+ SET_VAR(a='*/') */ 1, 'x'", "select…"),
        ("SELECT 1; SELECT 2;", "select ?; select ?"),
        ("SELECT $$x$$", "select…"),
    ],
)
def test_mysql(text: str, left: str) -> None:
    assert text_of(read_text(text.encode(), "mysql", YES)) == [left]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (r"SELECT E'a\'b', e'c\\', U&'d', $1, $22", ["select ?, u&?"]),
        ('SELECT "Na""me", a::text FROM "T"', ['select "Na""me", a::text from "T"']),
        ("SELECT $$it's$$, $t$ $$ $x$ $t$, a$1", ["select ?, a$1"]),
        ("SELECT 1 /* a /* nested */ one */ # 2", ["select ? # ?"]),
        ("SELECT 1; INSERT INTO t VALUES (1);; COMMIT", ["select ?", "insert into t values (?)", "", "commit"]),
        (
            "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)",
            ["create rule r as on insert to t do (select ?; select ?)"],
        ),
        ("SELECT a--1\n, b", ["select a, b"]),
        (r"SELECT 'C:\', 'x'", ["select ?…"]),  # whether the first string ends depends on a setting
        (r"SELECT 'C:\x', 'y\\'", ["select ?"]),
        ("SELECT 1\0garbage", ["select ?"]),
    ],
)
def test_postgresql(text: str, left: list[str]) -> None:
    assert text_of(read_text(text.encode(), "postgresql")) == left


@pytest.mark.parametrize("escapes", [UNKNOWN, YES, NO])
def test_a_backslash_before_a_quote_is_read_as_the_server_reads_it_or_not_at_all(escapes: int) -> None:
    text = rb"SELECT 'a\' , d' , c"
    left = {UNKNOWN: "select ?…", YES: "select ?, c", NO: "select ?, d?…"}
    assert text_of(read_text(text, "mysql", escapes)) == [left[escapes]]


@pytest.mark.parametrize("charset", ["gbk", "big5", "shift_jis", "latin-1"])
def test_half_of_a_character_is_no_backslash(charset: str) -> None:
    """In these a character may end with the byte of a backslash; in no text is one told from the other."""
    every = (chr(n).encode(charset, errors="ignore") for n in range(0x80, 0x10000))
    last = next((raw for raw in every if len(raw) == 2 and raw.endswith(b"\\")), b"\xe9\\'")
    text = b"SELECT '" + last + b"', 'canary'"
    for system, escapes in (("mysql", YES), ("mysql", UNKNOWN), ("postgresql", UNKNOWN)):
        assert text_of(read_text(text, system, escapes)) == ["select ?…"]


def test_a_text_is_cut_and_never_inside_of_a_literal() -> None:
    for size in (2030, 2048, 5000):
        text = f"INSERT INTO t VALUES (1, '{'canary' * size}', 2)".encode()
        assert text_of(read_text(text, "mysql", YES)) == ["insert into t values (?…"]
    for many in (150, 180, 1000):
        rows = ", ".join(f"({n}, 'canary {n}')" for n in range(many))
        found = text_of(read_text(f"INSERT INTO t VALUES {rows}".encode(), "mysql", YES))
        assert found in (["insert into t values (?)"], ["insert into t values (?)…"])


def test_the_digest_is_that_of_what_is_left() -> None:
    one, two, three = (
        read_text(text, "mysql", YES)[0].hash
        for text in (b"SELECT a FROM t WHERE b IN (1)", b"select a  from T where b in (2, 'x')", b"select b from t")
    )
    assert one == two != three


LITERALS = {
    "mysql": ("'{}'", '"{}"', "'it''s {}'", r"'\'{}'", "N'{}'", "_utf8'{}'", "x'{}'", "'{}\\\\'", '"a""{}"'),
    "postgresql": ("'{}'", "'it''s {}'", r"E'\'{}'", "$${}$$", "$t$ $$ '{}' $t$", "U&'{}'", "B'{}'", r"'{}\\'"),
}
NUMBERS = ("{}", "-{}", "+{}", "{}.5", "1.{}", "{}e5", "1e-{}", "0x{}")


@settings(max_examples=500, deadline=None)
@given(some.data(), some.sampled_from(BOTH))
def test_no_canary_comes_out(data: some.DataObject, system: str) -> None:
    """Whatever stands between them, of literals nothing is left; the texts are whole ones, so nothing is cut."""
    literal = some.sampled_from(LITERALS[system]).map(lambda form: form.format("c4n4ry"))
    number = some.sampled_from(NUMBERS).map(lambda form: form.format("424242"))
    between = some.sampled_from((", ", ",", " AND a = ", " /* ' */ + ", "\n-- it's\n, ", " IN (", ") OR ", " || "))
    drawn = data.draw(some.lists(some.tuples(some.one_of(literal, number), between), min_size=1, max_size=12))
    text = "SELECT (" + "".join(value + mark for value, mark in drawn) + "1)"
    for one in read_text(text.encode(), system, YES if system == "mysql" else UNKNOWN):
        assert not one.cut
        assert b"4n4r" not in one.text
        assert b"4242" not in one.text
