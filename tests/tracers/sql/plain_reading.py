"""A statement's text without its literals, read the slow and plain way: tokens by regular expressions, then lists.

The truth that the kernel's machine (tracers/sql_text.h) is compared with. Text in, text out; bytes that are
no UTF-8 are not its business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

WORD = r"[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*"
MORE = r"[A-Za-z0-9_$.\x80-\U0010ffff]"
NUMBER = rf"0[xX]{MORE}*|[0-9](?:{MORE}|(?<=[eE])[+-](?=[0-9]))*(?P<half>(?<=[eE])[+-])?"
BLANK = r"[\x00-\x20\x7f]+"
ESCAPED = r"(?:[^{0}\\]|\\.|{0}{0})*+{0}"  # the rest of a string that ends with this quote
UNESCAPED = r"(?:[^{0}]|{0}{0})*+{0}"
# A backslash before the quote, odd: two readings.
EITHER = r"(?:[^{0}\\]|{0}{0}|\\[^{0}\\]|\\\\)*+(?:(?P<twofold>\\{0})|(?P<end>{0}))?"
VALUES = ("null", "true", "false", "default")
RUN = re.compile(r"/\*(?:!|\+|M!)")
RUN_ENDS = re.compile(r"\*/|['\"`#]|--|/\*")

Token = tuple[str, str]  # kind (blank, line, literal, word, name, mark, dashes, ends, cut), text


def read(text: str, system: str, escapes: int = 0) -> list[tuple[str, bool]]:
    """Of each statement what is left of it, and whether it was cut. `escapes`: 0 not known, 1 yes, 2 no."""
    found: list[tuple[str, bool]] = []
    tokens: list[Token] = []
    for token in (_postgresql if system == "postgresql" else _mysql)(text, escapes):
        if token[0] in ("ends", "cut"):
            found.append((_written(tokens), token[0] == "cut"))
            tokens = []
        else:
            tokens.append(token)
    return found


def _string(text: str, at: int, quote: str, escapes: int) -> int:
    """Where the string ends that begins at `at`; 0 where nobody can say."""
    if escapes:
        found = re.compile((ESCAPED if escapes == 1 else UNESCAPED).format(quote), re.S).match(text, at + 1)
        return found.end() if found else 0
    found = re.compile(EITHER.format(quote), re.S).match(text, at + 1)
    assert found
    return found.end() if found["end"] else 0


def _mysql(text: str, escapes: int) -> Iterator[Token]:
    at = 0
    while at < len(text):
        c = text[at]
        if found := re.compile(rf"{BLANK}|#[^\n]*\n?|--(?=[\x00-\x20\x7f]|\Z)[^\n]*\n?").match(text, at):
            yield "line" if found[0].startswith("--") else "blank", ""
        elif text.startswith("/*", at):
            end = _comment_of_mysql(text, at)
            yield ("blank", "") if end else ("cut", "")
            if not end:
                return
            at = end
            continue
        elif found := re.compile(r"(?:[nNxXbB]|_[A-Za-z0-9_$\x80-\U0010ffff]*)?(['\"])").match(text, at):
            at = _string(text, found.end() - 1, found[1], escapes)
            if not at:
                yield "literal", ""
                yield "cut", ""
                return
            yield "literal", ""
            continue
        elif found := re.compile(r"`(?:[^`]|``)*(`)?").match(text, at):
            yield "name", found[0]
            if not found[1]:
                yield "cut", ""
                return
        elif text.startswith("--", at):
            yield "dashes", "--"
            if text[at + 2] >= "\x80":
                yield "cut", ""
                return
            at += 2
            continue
        elif c == "$":
            yield "cut", ""
            return
        elif c == "?":
            yield "literal", ""
        else:
            found = None
        if found is None and c != "?":
            token, found = _plain(text, at)
            yield token
            if found["half"] if "half" in found.re.groupindex else False:
                yield "cut", ""
                return
        at = found.end() if found else at + 1
    yield "ends", ""


def _comment_of_mysql(text: str, at: int) -> int:
    """Where it ends; 0 where it does not, or nobody can say."""
    if run := RUN.match(text, at):
        ends = RUN_ENDS.search(text, run.end())
        return ends.end() if ends and ends[0] == "*/" else 0
    return text.find("*/", at + 2) + 2 if "*/" in text[at + 2 :] else 0


def _plain(text: str, at: int) -> tuple[Token, re.Match[str]]:
    if found := re.compile(NUMBER).match(text, at):
        return ("literal", ""), found
    if found := re.compile(WORD).match(text, at):
        after = text[found.end() : found.end() + 1]
        return ("word" if after in ("(", ".") and after else "word or value", found[0]), found
    found = re.compile(".", re.S).match(text, at)
    assert found
    return ("mark", found[0]), found


def _postgresql(text: str, _: int) -> Iterator[Token]:
    at = depth = 0
    text = text.partition("\0")[0]
    while at < len(text):
        c = text[at]
        if found := re.compile(rf"{BLANK}|--[^\n\r]*[\n\r]?").match(text, at):
            yield "line" if found[0].startswith("--") else "blank", ""
            at = found.end()
        elif text.startswith("/*", at):
            at = _nested(text, at)
            yield ("blank", "") if at else ("cut", "")
            if not at:
                return
        elif found := re.compile(r"([nNxXbBeE])?'").match(text, at):
            escapes = 1 if found[1] in ("e", "E") else 0
            at = _string(text, found.end() - 1, "'", escapes)
            yield "literal", ""
            if not at:
                yield "cut", ""
                return
        elif found := re.compile(r'"(?:[^"]|"")*(")?').match(text, at):
            yield "name", found[0]
            if not found[1]:
                yield "cut", ""
                return
            at = found.end()
        elif c == "$":
            tag = re.compile(r"\$(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?\$").match(text, at)
            number = re.compile(rf"\$[0-9]{MORE}*").match(text, at)
            end = text.find(tag[0], tag.end()) if tag else -1
            if tag or number:
                yield "literal", ""
            if not number and end < 0:
                yield "cut", ""
                return
            at = number.end() if number else end + len(tag[0] if tag else "")
        elif c == ";" and not depth:
            yield "ends", ""
            at += 1
        else:
            token, found = _plain(text, at)
            depth = max(0, depth + (c == "(") - (c == ")"))
            yield token
            if "half" in found.re.groupindex and found["half"]:
                yield "cut", ""
                return
            at = found.end()
    yield "ends", ""


def _nested(text: str, at: int) -> int:
    depth, at = 1, at + 2
    while depth:
        found = re.compile(r"/\*|\*/").search(text, at)
        if not found:
            return 0
        depth += 1 if found[0] == "/*" else -1
        at = found.end()
    return at


# ---------------------------------------------------------------------------- tokens → text

Spaced = tuple[bool, str, str]  # a blank came before, kind, text


def _written(tokens: list[Token]) -> str:
    symbols = _rows_are_one(_lists_are_one(_signs(_values(_spaced(tokens)))))
    written, before = "", ""
    for blank, _, text in _whole(symbols):
        if before and before != "(" and text not in (",", ")", ";") and (blank or before in (",", ";")):
            written += " "
        written += text
        before = text
    return written


def _spaced(tokens: list[Token]) -> list[Spaced]:
    found: list[Spaced] = []
    blank = False
    for kind, text in tokens:
        if kind == "line" and found and _is_sign(found[-1]):  # it is nobody's then
            found[-1] = (found[-1][0], "unsigned", found[-1][2])
        if kind in ("blank", "line"):
            blank = True
            continue
        shown = {"literal": "?", "name": re.sub(r"[\x00-\x20\x7f]", " ", text)}.get(kind, text)
        if text == ";" and found and found[-1][2] == ";":  # several are one
            continue
        found.append(
            (blank, kind, re.sub("[A-Z]", lambda m: m[0].lower(), shown) if kind.startswith("word") else shown)
        )
        blank = False
    return found


def _values(found: list[Spaced]) -> list[Spaced]:
    changed: list[Spaced] = []
    for blank, kind, text in found:
        if kind == "word or value" and text in VALUES and changed and changed[-1][2] in ("(", ",", "="):
            changed.append((blank, "literal", "?"))
        else:
            changed.append((blank, kind.partition(" ")[0], text))
    return changed


def _can_have_sign(before: list[Spaced]) -> bool:
    """Whether a sign may come behind these."""
    if not before:
        return False
    _, kind, text = before[-1]
    return kind in ("mark", "dashes", "unsigned") and text not in (")", "]")


def _signs(found: list[Spaced]) -> list[Spaced]:
    """A sign before a literal is the literal's. At the end, it is nobody's."""
    changed: list[Spaced] = []
    for one in found:
        if one[1] == "literal" and changed and _is_sign(changed[-1]) and _can_have_sign(changed[:-1]):
            changed[-1] = (changed[-1][0], "literal", "?")
        else:
            changed.append(one)
    if changed and _is_sign(changed[-1]) and _can_have_sign(changed[:-1]):
        changed.pop()
    return changed


def _is_sign(one: Spaced) -> bool:
    return one[2] in ("+", "-", "--") and one[1] in ("mark", "dashes")


def _lists_are_one(found: list[Spaced]) -> list[Spaced]:
    changed: list[Spaced] = []
    for one in found:
        kinds = [text if kind in ("mark", "literal") else "x" for _, kind, text in changed[-2:]]
        if one[1] == "literal" and kinds == ["?", ","] and changed[-2][1] == "literal":
            changed.pop()
        else:
            changed.append(one)
    return changed


def _rows_are_one(found: list[Spaced]) -> list[Spaced]:
    changed: list[Spaced] = []
    for one in found:
        changed.append(one)
        last = "".join(
            text if kind == "mark" else "L" if kind == "literal" else "x" * 9 for _, kind, text in changed[-7:]
        )
        if last.endswith("(L),(L)"):
            del changed[-4:]
    return changed


def _whole(found: list[Spaced]) -> list[Spaced]:
    """Without what another element of a list had begun with, and without semicolons at the end."""
    marks = "".join(
        text if kind == "mark" and len(text) == 1 else "L" if kind == "literal" else "x" for _, kind, text in found
    )
    end = len(found)
    if re.search(r"L,\Z", marks[:end]):
        end -= 1
    for rest in (",(L", ",(", ","):
        if marks[:end].endswith("(L)" + rest):
            end -= len(rest)
            break
    if marks[:end].endswith(";"):
        end -= 1
    return found[:end]
