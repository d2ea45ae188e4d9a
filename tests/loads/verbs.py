"""The verbs of a text of SQL, read the slow and plain way: the truth that a tracer's reading is compared with."""

from __future__ import annotations

import re

TOKENS = re.compile(
    r"""
      (?P<blank> \s+ | --[^\n]*\n? | \#[^\n]*\n? | /\*(?!!)(?:/\*.*?\*/|(?!/\*).)*?\*/ )
    | (?P<executed> /\*!\d* | \*/ )                      # MySQL runs what such a comment holds
    | (?P<text> '(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | `[^`]*` | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
    | (?P<word> \w+ )
    | (?P<mark> . )
    """,
    re.VERBOSE | re.DOTALL,
)
# The same thing said with another word.
SAME = {"START": "BEGIN", "END": "COMMIT", "ABORT": "ROLLBACK"}


def verbs_of(text: str) -> tuple[str, ...]:
    """One for each statement of `text`, upper case; that of a WITH is the verb of its main statement.

    A comment may hold one other, as PostgreSQL's may.
    """
    statements: list[list[str]] = [[]]
    for token in TOKENS.finditer(text):
        kind = token.lastgroup
        if kind in ("blank", "executed"):
            continue
        if token.group() == ";":
            statements.append([])
        else:
            statements[-1].append("''" if kind == "text" else token.group().upper())
    return tuple(_verb(tokens) for tokens in statements if tokens)


def _verb(tokens: list[str]) -> str:
    words = [*tokens]
    while words and words[0] == "(":
        del words[0]
    if words and words[0] == "WITH":
        words = _main_statement(words)
    return SAME.get(words[0], words[0]) if words else ""


def _main_statement(words: list[str]) -> list[str]:
    """What follows the list of common table expressions: after a closing parenthesis neither `,` nor `AS` comes."""
    depth = 0
    for index, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if word == ")" and depth == 0 and words[index + 1 : index + 2] not in ([","], ["AS"]):
            rest = words[index + 1 :]
            while rest and rest[0] == "(":
                del rest[0]
            return rest
    return []
