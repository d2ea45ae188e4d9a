"""Every number that is a word of its own, with its unit: what is read of a line when nobody says what stands in it.

What is half a number to a reader, such as a date, an address or `1,234,567`, is none here: a wrong value would be
worse than a missing one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Without steps back (++) where they could multiply, which on a line of a megabyte would take hours. Groups are left
# without it: Python 3.11 takes a part of one that fails.
_WORD = re.compile(r"\S++", re.ASCII)  # a thin space between thousands parts nothing
_NUMBER = re.compile(
    r"""
    [(\[{"']*+
    (?!0[xX][0-9a-fA-F])
    (?P<value> [-+]?+ (?: [0-9]++ (?:\.[0-9]*+)? | \.[0-9]++ ) (?:[eE][-+]?+[0-9]++)? )
    (?P<unit> (?: /?+ (?:[^\W\d_]|[%°]) (?:[^\W\d_]|[%°/])* )? )
    (?P<end> [)\]}"',;.!?]*+ )
    """,
    re.VERBOSE,
)
_AROUND = "()[]{}<>\"'`,;:.!?|=*"
_BEGINS_A_NUMBER = re.compile(r"[-+.]*+[0-9]")
_NAMES_SOMETHING = re.compile(r"[^\W_]|[%°$€£]")


def numbers_in(text: str) -> Iterator[tuple[str, str]]:
    """(number, unit) of `12.00 pkt/s`, `12ms`, `56%`, `(estab 5, …)`, in their order.

    The unit is what directly follows, else the next word, else "". A comma or bracket after the number ends it.
    A comment, which begins with #, is for people.
    """
    words = [] if is_comment(text) else _WORD.findall(text)
    for place, word in enumerate(words):
        found = _NUMBER.fullmatch(word)
        if found is None:
            continue
        after = "" if found["end"] or place + 1 == len(words) else words[place + 1]
        yield found["value"], found["unit"] or _unit(after)


def is_comment(text: str) -> bool:
    return text.lstrip().startswith("#")


def _unit(word: str) -> str:
    bare = word.strip(_AROUND)
    return bare if _NAMES_SOMETHING.search(bare) and not _BEGINS_A_NUMBER.match(bare) else ""
