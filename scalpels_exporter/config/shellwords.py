"""A command written as one text → its words. No shell ever runs it, so what only a shell understands is refused."""

from __future__ import annotations

import re
import shlex

_OPERATORS = "|&;<>()`*"
_EXPANDED = re.compile(r"\$(?:[A-Za-z_]\w*|[({@*?#$!0-9])")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_CURE = "write [sh, -c, '…'] if a shell is meant, and quotes around it if it is not"


def split(text: str) -> tuple[str, ...]:
    """The words, as a shell would split them. ValueError, with a text for the user, for anything that needs a shell."""
    try:
        words = tuple(shlex.split(text))
    except ValueError as exc:
        raise ValueError(f"cannot be split into words as a shell does: {str(exc).lower()}") from None
    found = _shell_syntax(text)
    if found:
        raise ValueError(f"no shell runs this, so {found} would be taken as it stands; {_CURE}")
    if words and _ASSIGNMENT.match(words[0]):
        raise ValueError(f"no shell runs this, so {words[0]} would be taken for the command; write env before it")
    return words


def _shell_syntax(text: str) -> str:
    """The first thing outside of quotes (of $ and `: of single quotes) that a shell would act upon, "" for none."""
    quote, at = "", 0
    while at < len(text):
        letter = text[at]
        if letter == "\\" and quote != "'":
            at += 2
            continue
        if letter == quote:
            quote = ""
        elif not quote and letter in "'\"":
            quote = letter
        elif quote != "'":
            expanded = _EXPANDED.match(text, at)
            if expanded:
                return expanded[0]
            if letter == "`" or (not quote and (letter in _OPERATORS or _is_home(text, at))):
                return letter
        at += 1
    return ""


def _is_home(text: str, at: int) -> bool:
    return text[at] == "~" and (at == 0 or text[at - 1].isspace()) and text[at + 1 : at + 2] in ("", "/")
