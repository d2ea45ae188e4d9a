"""The statements of the SQL loads: mixes, each an endless repetition of groups that run in order on one connection.

Every statement says its verbs and the error that it must end in; `?` stands for an argument. Ids that are written to
come from `fresh`, so that no load meets another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import Any


@dataclass(frozen=True)
class Statement:
    """`verbs`: one for each statement of the text that a server runs; none: a command of the driver's own."""

    text: str
    verbs: tuple[str, ...]
    code: str = ""  # MySQL's errno or the SQLSTATE that it must end in
    arguments: tuple[Any, ...] = ()
    prepared: bool = False


Group = list[Statement]
Mix = Callable[..., Iterator[Group]]
BEGIN, COMMIT, ROLLBACK = (Statement(verb, (verb,)) for verb in ("BEGIN", "COMMIT", "ROLLBACK"))
START = Statement("START TRANSACTION", ("BEGIN",))


def one(verb: str, text: str, *arguments: Any, code: str = "", prepared: bool = False) -> Statement:
    return Statement(text, (verb,), code, arguments, prepared)


def alone(verb: str, *texts: str) -> list[Group]:
    """Groups of one statement each."""
    return [[one(verb, text)] for text in texts]


DISGUISED = (
    "SELECT 1",
    "select n from items where id = 7",
    "/* of nova */ SELECT name FROM items WHERE id = 7",
    "/* one */ /* two */ SELECT 1",
    "-- of nova\nSELECT 1",
    "\n\t  SELECT 3",
    "(SELECT 1)",
    "(SELECT 1) UNION (SELECT 2)",
    "WITH x AS (SELECT 1 AS n) SELECT n FROM x",
    "WITH x AS (SELECT ')' AS n), y AS (SELECT 2 AS n) SELECT x.n FROM x, y",
    "SELECT 'DELETE FROM items; COMMIT', 1",
    "SELECT/* near */ 1",
    "SELECT(1)",
)
OF_SYSTEM = {
    "mysql": [
        *alone("SELECT", "# of nova\nSELECT 2", "SELECT `n` FROM `items` WHERE `id` = 9"),
        *alone("SET", "SET @answer = 42", "/* of nova */ set @answer = 43"),
        *alone("SHOW", "SHOW VARIABLES LIKE 'version'", "show tables"),
        *alone("CALL", "CALL idle()", "-- of nova\ncall idle()"),
    ],
    "postgresql": [
        *alone("SELECT", 'SELECT "n" FROM "items" WHERE "id" = 9'),
        *alone("SET", "SET application_name = 'load'", "/* of nova */ set extra_float_digits = 1"),
        *alone("SHOW", "SHOW server_version", "show search_path"),
        *alone("CALL", "CALL idle()", "-- of nova\ncall idle()"),
    ],
}
NOT_THERE = {"mysql": "1146", "postgresql": "42P01"}
TWICE = {"mysql": "1062", "postgresql": "23505"}
NOT_SQL = {"mysql": "1064", "postgresql": "42601"}


def writes(system: str, fresh: Iterator[int]) -> list[Group]:
    """Every verb that changes a row, alone and in transactions that end in either way."""
    first, second, third = next(fresh), next(fresh), next(fresh)
    insert = one("INSERT", f"INSERT INTO items (id, name, n) VALUES ({first}, 'it''s new', 1)")
    update = one("UPDATE", f"/* of nova */ UPDATE items SET n = n + 1 WHERE id = {first}")
    groups = [[insert], [update], [one("UPDATE", f"update items set n = 0 where id = {first}")]]
    if system == "mysql":
        groups.append([one("REPLACE", f"REPLACE INTO items (id, name, n) VALUES ({first}, 'newer', 2)")])
    return [
        *groups,
        [BEGIN, one("INSERT", f"INSERT INTO items (id, n) VALUES ({second}, 1)"), update, COMMIT],
        [START, one("INSERT", f"INSERT INTO items (id, n) VALUES ({third}, 1)"), update, ROLLBACK],
        [BEGIN, one("SELECT", "SELECT COUNT(*) FROM items WHERE id <= 100"), COMMIT],
        [one("DELETE", f"DELETE FROM items WHERE id = {first}")],
        [one("DELETE", f"/* of nova */\n\tdelete from items where id = {second}")],
    ]


def failing(system: str) -> list[Group]:
    return [
        [one("SELECT", "SELECT * FROM not_there", code=NOT_THERE[system])],
        [one("INSERT", "/* again */ INSERT INTO items (id, n) VALUES (1, 1)", code=TWICE[system])],
    ]


def mixed(system: str, fresh: Iterator[int], **_: Any) -> Iterator[Group]:
    """Every verb and disguise, transactions, and of 48 statements two that fail."""
    while True:
        yield from alone("SELECT", *DISGUISED)
        yield from OF_SYSTEM[system]
        yield from writes(system, fresh)
        yield from failing(system)


def plain(system: str, fresh: Iterator[int], **_: Any) -> Iterator[Group]:
    """SELECT 1 and nothing else."""
    while True:
        yield [one("SELECT", "SELECT 1")]


def errors(system: str, fresh: Iterator[int], **_: Any) -> Iterator[Group]:
    """Nothing that succeeds, in turns; what cannot be parsed too."""
    while True:
        yield from failing(system)
        yield [one("UPDATE", "UPDATE not_there SET n = 1", code=NOT_THERE[system])]
        yield [one("SELECT", "SELECT FROM WHERE", code=NOT_SQL[system])]


def transactions(system: str, fresh: Iterator[int], seconds: float = 0.0, **_: Any) -> Iterator[Group]:
    """Insert and commit, insert and roll back; with `seconds` of thinking inside."""
    think = next(thinking(system, fresh, seconds)) if seconds else []
    while True:
        for begin, end in ((BEGIN, COMMIT), (START, ROLLBACK)):
            yield [begin, one("INSERT", f"INSERT INTO items (id, n) VALUES ({next(fresh)}, 1)"), *think, end]


def thinking(system: str, fresh: Iterator[int], seconds: float = 0.001, **_: Any) -> Iterator[Group]:
    """A SELECT whose first byte of answer takes the server so many seconds."""
    text = f"SELECT SLEEP({seconds:f})" if system == "mysql" else f"SELECT think({seconds:f})"
    while True:
        yield [one("SELECT", text)]


def prepared(system: str, fresh: Iterator[int], **_: Any) -> Iterator[Group]:
    """Five statements, prepared once on each connection and executed ever after; one of them fails each time."""
    while True:
        fresh_id = next(fresh)
        yield [one("SELECT", "SELECT name, n FROM items WHERE id = ?", 7, prepared=True)]
        yield [one("INSERT", "INSERT INTO items (id, name, n) VALUES (?, ?, ?)", fresh_id, "new", 1, prepared=True)]
        yield [one("UPDATE", "/* of nova */ UPDATE items SET n = ? WHERE id = ?", 2, fresh_id, prepared=True)]
        yield [one("INSERT", "insert into items (n, id) values (?, ?)", 1, 1, code=TWICE[system], prepared=True)]
        yield [one("DELETE", "DELETE FROM items WHERE id = ?", fresh_id, prepared=True)]


def several(system: str, fresh: Iterator[int], **_: Any) -> Iterator[Group]:
    """Several statements in one request: all run, all but the last run, and the second fails."""
    while True:
        fresh_id = next(fresh)
        insert, delete = f"INSERT INTO items (id) VALUES ({fresh_id})", f"DELETE FROM items WHERE id = {fresh_id}"
        yield [Statement("SELECT 1; SELECT name FROM items WHERE id < 9; /* end */ SELECT 3", ("SELECT",) * 3)]
        yield [Statement(f"{insert}; {delete};", ("INSERT", "DELETE"))]
        yield [Statement("SELECT 1; SELECT * FROM not_there; SELECT 3", ("SELECT",) * 2, NOT_THERE[system])]


def big(system: str, fresh: Iterator[int], size: int = 300_000, **_: Any) -> Iterator[Group]:
    """A text of more than `size` bytes."""
    while True:
        yield [one("INSERT", f"INSERT INTO items (id, body) VALUES ({next(fresh)}, '{'x' * size}')")]


def wide(system: str, fresh: Iterator[int], rows: int = 10_000, size: int = 1000, **_: Any) -> Iterator[Group]:
    """An answer of `rows` rows of `size` bytes."""
    numbers = f"seq_1_to_{rows} AS x" if system == "mysql" else f"generate_series(1, {rows}) AS x"
    while True:
        yield [one("SELECT", f"SELECT x.*, REPEAT('y', {size}) FROM {numbers}")]


def results(system: str, fresh: Iterator[int], rows: int = 5, **_: Any) -> Iterator[Group]:
    """MySQL's procedures that answer with a result and an OK; the server counts their inner SELECT too."""
    while True:
        yield [Statement(f"CALL some_rows({rows})", ("CALL",))]


def traps(system: str, fresh: Iterator[int], **_: Any) -> Iterator[Group]:
    """What a quick reading of the verb gets wrong."""
    first = next(fresh)
    while True:
        yield [one("INSERT", f"INSERT INTO items (id) SELECT {next(fresh)}")]
        yield [one("SELECT", f"/* {'long ' * 60}*/ SELECT 1")]
        yield [one("SELECT", "-- one\n-- two\n/* three */ SELECT 1")]
        yield [one("SELECT", "((SELECT 1))")]
        yield [one("SELECT", "SELECT 1;")]
        yield [
            one(
                "SELECT",
                "WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x WHERE n < 3) SELECT n FROM x",
            )
        ]
        if system == "mysql":
            yield [one("SET", "/*!40101 SET @old = 1 */")]
        else:
            yield [
                one("UPDATE", f"WITH x AS (SELECT {first} AS id) UPDATE items SET n = 1 FROM x WHERE items.id = x.id")
            ]
            yield [one("SELECT", "SELECT $$; COMMIT; $$")]
            yield [one("SELECT", "/* a /* nested */ one */ SELECT 2")]


CANARY, CANARY_NUMBER = "c4n4ry", 8675309  # stand in every literal of `canaries`, and nowhere else


def canaries(system: str, fresh: Iterator[int], size: int = 5000, prepares: bool = True, **_: Any) -> Iterator[Group]:
    """Every kind of literal, in lists of every length: CANARY_TEXTS of them in a turn, each turn the same digests.
    Where the client does not prepare, the last one is another text."""
    for turn in count():
        first, second = next(fresh), next(fresh)
        ids = ", ".join(str(CANARY_NUMBER + n) for n in range(1 + turn % 7))
        rows = ", ".join(
            f"({n}, '{CANARY}''s {turn}', {'NULL' if turn % 2 else -CANARY_NUMBER})" for n in (first, second)
        )
        odd = f'"{CANARY}"' if system == "mysql" else f"$c${CANARY} ' $c$"
        escaped = f"'{CANARY}\\' {CANARY}'" if system == "mysql" else f"E'{CANARY}\\' {CANARY}'"
        missing = NOT_THERE[system]
        yield [one("SELECT", f"SELECT name  FROM items WHERE id IN ({ids}) -- it's {CANARY}\n")]
        yield [one("INSERT", f"INSERT INTO items (id, name, n) VALUES {rows}")]
        yield [
            one("UPDATE", f"/* {CANARY} */ UPDATE items SET name = {odd} WHERE id = {first} AND n > -{CANARY_NUMBER}")
        ]
        yield [one("DELETE", f"delete from items where name = {escaped} or id in ({first}, {second})")]
        yield [one("SELECT", f"SELECT * FROM not_there WHERE a = N'{CANARY}' OR b = 1.5e3", code=missing)]
        yield [one("SELECT", f"SELECT LENGTH('{CANARY * (size // 6)}'), X'4d' , {CANARY_NUMBER}.5")]
        if prepares:
            yield [one("SELECT", "SELECT n FROM items WHERE id = ? AND name <> ?", turn, CANARY, prepared=True)]
        else:
            yield [one("SELECT", "SELECT n FROM items WHERE id = 1 AND name <> 'x'")]


# What is left of them, and whether they end in an error.
CANARY_TEXTS = {
    "select name from items where id in (?)": False,
    "insert into items (id, name, n) values (?)": False,
    "update items set name = ? where id = ? and n > ?": False,
    "delete from items where name = ? or id in (?)": False,
    "select * from not_there where a = ? or b = ?": True,
    "select length(?…": False,
    "select n from items where id = ? and name <> ?": False,
}


MIXES: dict[str, Mix] = {
    mix.__name__: mix
    for mix in (mixed, plain, errors, transactions, thinking, prepared, several, big, wide, results, traps, canaries)
}


def exactly(many: int, groups: Iterator[Group]) -> Iterator[Group]:
    """Whole groups of `many` statements (texts) in all; where no group is short enough for the rest, it is SELECT 1."""
    left = many
    while left:
        group = next((g for g in islice(groups, 60) if len(g) <= left), [one("SELECT", "SELECT 1")])
        left -= len(group)
        yield group


def fresh_ids(pid: int) -> Iterator[int]:
    """Ids that no other process makes; next() on it is safe among threads."""
    return count(pid * 1_000_000_000)
