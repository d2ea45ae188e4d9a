"""The statements of the loads are what they say of themselves."""

from __future__ import annotations

from itertools import count, islice

import pytest

from loads.statements import MIXES, exactly
from loads.verbs import verbs_of

SYSTEMS = ("mysql", "postgresql")


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("mix", MIXES)
def test_the_verbs_that_a_statement_says_are_those_of_its_text(system: str, mix: str) -> None:
    for group in islice(MIXES[mix](system, count(1), size=100), 100):
        for statement in group:
            found = verbs_of(statement.text)
            # One that fails keeps those after it from running.
            assert found[: len(statement.verbs)] == statement.verbs or statement.code
            assert len(found) == len(statement.verbs) or statement.code


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("many", [1, 2, 97])
def test_a_load_runs_exactly_so_many_texts_and_ends_every_transaction(system: str, mix: str, many: int) -> None:
    groups = exactly(many, MIXES[mix](system, count(1), size=100))
    texts = [statement.text for group in groups for statement in group]
    assert len(texts) == many
    begun = sum(verbs_of(text)[:1] == ("BEGIN",) for text in texts)
    assert begun == sum(text in ("COMMIT", "ROLLBACK") for text in texts)


@pytest.mark.parametrize(
    ("text", "verbs"),
    [
        ("/* a */(select 1)", ("SELECT",)),
        ("WITH a AS (SELECT ')'), b (x) AS (SELECT 1) SELECT * FROM a", ("SELECT",)),
        ("WITH d AS (DELETE FROM t RETURNING 1) INSERT INTO x SELECT * FROM d", ("INSERT",)),
        ("WITH a AS (SELECT 1) (SELECT 2)", ("SELECT",)),
        ("SELECT 1; SELECT 'a;b'; UPDATE x SET y = 1;", ("SELECT", "SELECT", "UPDATE")),
        ("/*!40101 SET @x = 1 */", ("SET",)),
        ("start transaction", ("BEGIN",)),
        ("-- only a comment", ()),
    ],
)
def test_verbs_are_read_from_texts(text: str, verbs: tuple[str, ...]) -> None:
    assert verbs_of(text) == verbs
