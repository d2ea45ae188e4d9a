"""Whether a declaration's fields hold what their type hints say, because Python itself never looks.

A declaration is written by hand in a file that no type checker sees; `labels=("program")` is a text, not a
tuple, and would otherwise become seven labels of one letter. What the values mean is `soundness`' business.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

_DEEPEST = 12


def misfits(declared: object, where: str = "", depth: int = 0) -> Iterator[str]:
    """One line for each field, however deep, whose value has not the type of its hint."""
    hints = get_type_hints(type(declared))
    for field in fields(declared):  # type: ignore[arg-type]
        value = getattr(declared, field.name)
        place = f"{where}.{field.name}" if where else field.name
        if not _fits(value, hints[field.name]):
            yield f"{place}: expected {_named(hints[field.name])}, got {_shown(value)}"
        elif depth < _DEEPEST:
            for key, inner in _inside(value):
                yield from misfits(inner, f"{place}{key}", depth + 1)


def _inside(value: object) -> Iterator[tuple[str, object]]:
    if is_dataclass(value) and not isinstance(value, type):
        yield "", value
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            if is_dataclass(item) and not isinstance(item, type):
                yield f"[{index}]", item


def _fits(value: object, hint: Any) -> bool:
    if hint is Any:
        return True
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in arguments)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return all(_fits(item, arguments[0]) for item in value)
        return len(value) == len(arguments) and all(map(_fits, value, arguments))
    if origin is Mapping:
        return isinstance(value, Mapping) and all(
            _fits(key, arguments[0]) and _fits(item, arguments[1]) for key, item in value.items()
        )
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


_WORDS = {str: "a text", int: "a whole number", float: "a number", bool: "True or False", type(None): "None"}


def _named(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(_named(one) for one in arguments)
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return f"a tuple of {_named(arguments[0]).removeprefix('a ')}s"
        return f"a tuple of {len(arguments)}"
    if origin is Mapping:
        return "a mapping of texts"
    article = "an" if hint.__name__[0] in "AEIO" else "a"
    return _WORDS.get(hint) or f"{article} {hint.__name__}"


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else text[:59] + "…"
