"""One entry of the section `tracers`: off, on, or a mapping of a known tracer's parameters, or a script tracer."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from scalpels_exporter.catalog import Found
from scalpels_exporter.config import scripts
from scalpels_exporter.config.parameters import accept, nearest
from scalpels_exporter.config.settings import Budgets, Chosen
from scalpels_exporter.config.tree import Value
from scalpels_exporter.config.trust import Trust
from scalpels_exporter.declare import Tracer
from scalpels_exporter.soundness import MOST_SERIES

_UNDECLARED_SERIES = next(field.default for field in fields(Tracer) if field.name == "series")


def by_default(found: Found, budgets: Budgets) -> Chosen:
    """A tracer that the file does not name."""
    return Chosen(
        found.tracer, found.tracer.default, _defaults(found.tracer), found.stem, _series(found.tracer, budgets)
    )


def choose(name: str, value: Value, known: dict[str, Found], budgets: Budgets, trust: Trust) -> Chosen | None:
    """What the file wants of the tracer `name`; None after a mistake.

    A mapping, even an empty one, switches it on; with `default: off` it takes the parameters and waits to be started
    by hand. A name that no stem has needs `command` and is a script tracer.
    """
    found = known.get(name)
    if found is not None:
        return _configured(found, value, budgets)
    if value.is_mapping and "command" in value.section():
        return _script(name, value, budgets, trust)
    hint = nearest(name, known)
    if not hint and value.is_mapping and _meant_as_script(value):
        before = len(value.mistakes)
        value.section(scripts.KEYS)  # notes the keys that it does not know
        if len(value.mistakes) == before:
            value.mistake("expected the key command, which makes a script a tracer")
        return None
    value.mistake(f"unknown tracer{hint or '; a script tracer of your own needs the key command'}")
    return None


def _meant_as_script(section: Value) -> bool:
    of_all = ("series", "default", "help")
    return any(nearest(key, ("command",)) or (key in scripts.KEYS and key not in of_all) for key in section.section())


def _configured(found: Found, value: Value, budgets: Budgets) -> Chosen | None:
    tracer = found.tracer
    plain = value.plain()
    if isinstance(plain, bool):
        return Chosen(tracer, plain, _defaults(tracer), found.stem, _series(tracer, budgets))
    if plain is not None and not value.is_mapping:
        value.mistake(f"expected on, off or a mapping of parameters, got {value.described()}")
        return None
    declared = {parameter.name: parameter for parameter in tracer.parameters}
    before = len(value.mistakes)
    if value.is_mapping and "command" in value.section():
        value.mistake(f"the tracer {tracer.name} exists already; give the script another name")
        return None
    keys = value.section((*declared, "series", "default"))
    parameters = _defaults(tracer)
    for name, parameter in declared.items():
        if name in keys:
            parameters[name] = keys[name].accepted(parameter)
    enabled, series = _common(keys, tracer, budgets)
    return None if len(value.mistakes) > before else Chosen(tracer, enabled, parameters, found.stem, series)


def _script(name: str, value: Value, budgets: Budgets, trust: Trust) -> Chosen | None:
    read = scripts.read(name, value, trust)
    if read is None:
        return None
    tracer, keys = read
    before = len(value.mistakes)
    enabled, series = _common(keys, tracer, budgets)
    return None if len(value.mistakes) > before else Chosen(tracer, enabled, {}, "", series)


def _common(keys: dict[str, Value], tracer: Tracer, budgets: Budgets) -> tuple[bool, int]:
    """The keys that every tracer's section may have: `default` and `series`."""
    enabled = keys["default"].switch() if "default" in keys else True
    series = keys["series"].integer(1, MOST_SERIES) if "series" in keys else None
    return bool(enabled), series or _series(tracer, budgets)


def _series(tracer: Tracer, budgets: Budgets) -> int:
    """The series budget where the tracer's section has none: what it declares, else the budget of all tracers."""
    return budgets.series if tracer.series == _UNDECLARED_SERIES else tracer.series


def _defaults(tracer: Tracer) -> dict[str, Any]:
    return {parameter.name: accept(parameter, parameter.default) for parameter in tracer.parameters}
