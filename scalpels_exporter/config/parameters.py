"""Whether a value suits a declared parameter, and the value as workers get it. Knows nothing of files or lines."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Collection, Sequence
from difflib import get_close_matches
from typing import Any

from scalpels_exporter.config import durations
from scalpels_exporter.declare import Parameter

MOST_NAMED = 20


def describe(value: object) -> str:
    """What was found, in the words of a user's file: `the text "5s"`, `a list`, `on`."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "on" if value else "off"
        case int() | float():
            return f"the number {value}"
        case str():
            return f'the text "{shorten(value)}"'
        case list() | tuple():
            return "a list"
        case dict():
            return "a mapping"
    return f"a {type(value).__name__}"


def shorten(text: str, longest: int = 60) -> str:
    """The text on one line and not too long to be read in a message."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return line if len(line) <= longest else line[: longest - 1] + "…"


def nearest(word: str, known: Collection[str]) -> str:
    """`; did you mean fsync?` for a slip of the pen, "" where nothing is near."""
    near = get_close_matches(word, known, 1, 0.6)
    return f"; did you mean {near[0]}?" if near else ""


def one_of(choices: Sequence[str]) -> str:
    """All of them, or how many: nobody reads three hundred names in a message."""
    return f"one of {', '.join(choices)}" if len(choices) <= MOST_NAMED else f"one of {len(choices)} known names"


def number_text(number: float) -> str:
    """2.0 as `2`, and no more digits than needed."""
    return str(int(number)) if float(number).is_integer() and abs(number) < 1e15 else repr(number)


def accept(parameter: Parameter, value: object) -> Any:
    """The value as a worker gets it: int, float, str, bool, seconds (float), tuple of str, or the pattern's text.

    ValueError says what was expected and what was found.
    """
    read = _KINDS.get(parameter.kind)
    if read is None:
        raise ValueError(f'the kind "{parameter.kind}" is none of {", ".join(_KINDS)}')
    return read(parameter, value)


def _integer(parameter: Parameter, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"expected a whole number, got {describe(value)}")
    _in_range(parameter, value, "", describe(value))
    return value


def _number(parameter: Parameter, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"expected a number, got {describe(value)}")
    _in_range(parameter, value, "", describe(value))
    return value


def _switch(_parameter: Parameter, value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"expected on or off, got {describe(value)}")
    return value


def _text(parameter: Parameter, value: object) -> str:
    if parameter.choices and value not in parameter.choices:
        slip = nearest(value, parameter.choices) if isinstance(value, str) else ""
        raise ValueError(f"expected {one_of(parameter.choices)}, got {describe(value)}{slip}")
    if not isinstance(value, str):
        # YAML turns on, no, 12 and 1.0 into something else than text, unless they are quoted.
        quote = "; write it in quotes" if isinstance(value, bool | int | float) else ""
        raise ValueError(f"expected a text, got {describe(value)}{quote}")
    return value


def _duration(parameter: Parameter, value: object) -> float:
    if isinstance(value, str):
        seconds = durations.parse(value)
    elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"expected a duration such as 10s, 5m or 1h30m, got {describe(value)}")
    else:
        seconds = float(value)
    _in_range(parameter, seconds, " s", describe(value))
    return seconds


def _texts(parameter: Parameter, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"expected a list of texts, got {describe(value)}")
    words = tuple(_text(parameter, word) for word in value)
    if len(set(words)) < len(words):
        twice = next(word for n, word in enumerate(words) if word in words[:n])
        raise ValueError(f'expected each text once, got "{shorten(twice)}" twice')
    _in_range(parameter, len(words), " texts", f"{len(words)}")
    return words


def _pattern(_parameter: Parameter, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a regular expression, got {describe(value)}")
    problem = pattern_problem(value)
    if problem:
        raise ValueError(problem)
    return value


_KINDS: dict[str, Callable[[Parameter, object], Any]] = {
    "integer": _integer,
    "number": _number,
    "text": _text,
    "switch": _switch,
    "duration": _duration,
    "texts": _texts,
    "pattern": _pattern,
}


def _in_range(parameter: Parameter, number: float, unit: str, found: str) -> None:
    least, most = parameter.least, parameter.most
    if (least is None or number >= least) and (most is None or number <= most):
        return
    if least is not None and most is not None:
        span = f"{number_text(least)} to {number_text(most)}{unit}"
    elif least is not None:
        span = f"at least {number_text(least)}{unit}"
    else:
        span = f"at most {number_text(most or 0)}{unit}"
    raise ValueError(f"expected {span}, got {found}")


def pattern_problem(pattern: str) -> str:
    """Why the regular expression does not compile, "" when it does."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # "possible nested set": what it means may change
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError, Warning) as exc:
        where = f" at character {exc.pos + 1}" if isinstance(exc, re.error) and exc.pos is not None else ""
        reason = exc.msg if isinstance(exc, re.error) else str(exc) if isinstance(exc, Warning) else "too large"
        return f'"{shorten(pattern)}" is no regular expression: {reason}{where}'
    return ""
