"""Typed access to the nodes of a configuration file, noting every mistake with its file, line and key.

A reader of a section asks for what it expects and gets it, or None after the mistake was noted: so one pass over
the file finds all that is wrong. What the keys mean is the sections' business.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.constructor import ConstructorError, SafeConstructor

from scalpels_exporter.config.parameters import accept, describe, nearest, number_text, shorten
from scalpels_exporter.config.settings import Mistake
from scalpels_exporter.declare import Parameter

_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str")}
_TEXT_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("timestamp", "value", "merge")}  # text to us
_COLLECTION_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_LONGEST_PROBLEM = 400
_MERGE = "tag:yaml.org,2002:merge"
_EXPONENT = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+")  # a text to YAML 1.1 unless it has point and sign


@dataclass(frozen=True, slots=True)
class Value:
    """One value of the file. `key` is its dotted path from the top, "" at the top."""

    node: yaml.Node
    key: str
    file: str
    line: int  # of its key, of itself where it has none
    mistakes: list[Mistake]  # shared by all values of the file

    def mistake(self, problem: str) -> None:
        self.mistakes.append(Mistake(self.file, self.line, self.key, shorten(problem, _LONGEST_PROBLEM)))

    def _below(self, node: yaml.Node, name: str, line: int) -> Value:
        dot = "" if not self.key or name.startswith("[") else "."
        return Value(node, f"{self.key}{dot}{name}", self.file, line, self.mistakes)

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.node, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        return isinstance(self.node, yaml.SequenceNode)

    # ------------------------------------------------------------------------ collections

    def section(self, known: Collection[str] | None = None) -> dict[str, Value]:
        """A mapping's values by key, {} for nothing. With `known`, other keys are mistakes and left out."""
        if not self.is_mapping:
            if self.is_list or self.plain() is not None:
                self.mistake(f"expected a mapping, got {self.described()}")
            return {}
        self._check_tag()
        found: dict[str, Value] = {}
        for name, value in self._pairs():
            if known is not None and name not in known:
                value.mistake(f"unknown key{nearest(name, known) or '; expected one of ' + ', '.join(known)}")
            elif name in found:
                value.mistake(f"given twice, first in line {found[name].line}")
            else:
                found[name] = value
        return found

    def _pairs(self) -> Iterator[tuple[str, Value]]:
        """Keys and values; those that `<<: *anchor` brings come last and give way to the rest."""
        own: set[str] = set()
        merged: list[yaml.Node] = []
        for key, node in self.node.value:
            if key.tag == _MERGE:
                merged += node.value if isinstance(node, yaml.SequenceNode) else [node]
            elif isinstance(key, yaml.ScalarNode):
                own.add(key.value)
                yield key.value, self._below(node, shorten(key.value), key.start_mark.line + 1)
            else:
                self._below(key, "?", key.start_mark.line + 1).mistake("expected a text as key")
        for node in merged:
            if not isinstance(node, yaml.MappingNode):
                self._below(node, "<<", node.start_mark.line + 1).mistake("expected a mapping to take keys from")
                continue
            for name, value in Value(node, self.key, self.file, self.line, self.mistakes)._pairs():
                if name not in own:
                    own.add(name)
                    yield name, value

    def items(self, what: str) -> list[Value] | None:
        """The items of a list, none for nothing; `what` they are, in the plural, for the message."""
        if not isinstance(self.node, yaml.SequenceNode):
            if not self.is_mapping and self.plain() is None:
                return []
            self.mistake(f"expected a list of {what}, got {self.described()}")
            return None
        self._check_tag()
        return self._items()

    def _check_tag(self) -> None:
        if self.node.tag not in _COLLECTION_TAGS:
            self.mistake(f"the tag {self.node.tag} is not known here")

    def _items(self) -> list[Value]:
        nodes = enumerate(self.node.value)
        return [self._below(node, f"[{n}]", node.start_mark.line + 1) for n, node in nodes]

    # ------------------------------------------------------------------------ scalars

    def plain(self) -> Any:
        """None, bool, int, float, str, list or dict, nothing of it checked. Mistakes are noted only for odd tags."""
        if isinstance(self.node, yaml.SequenceNode):
            return [item.plain() for item in self._items()]
        if isinstance(self.node, yaml.MappingNode):
            return {name: value.plain() for name, value in self._pairs()}
        if self.node.tag not in _PLAIN_TAGS:
            if self.node.tag not in _TEXT_TAGS:
                self.mistake(f"the tag {self.node.tag} is not known here")
            return self.node.value
        try:
            return SafeConstructor().construct_object(self.node)
        except (ConstructorError, ValueError, KeyError):  # !!int x
            self.mistake(f'"{shorten(self.node.value)}" is no {self.node.tag.rpartition(":")[2]}')
            return None

    def figure(self) -> Any:
        """As `plain`, but `1e-6` without quotes is the number that everyone takes it for."""
        value = self.plain()
        quoted = isinstance(self.node, yaml.ScalarNode) and self.node.style
        if isinstance(value, str) and not quoted and _EXPONENT.fullmatch(value):
            return float(value)
        return value

    def described(self) -> str:
        return describe(self.plain())

    def accepted(self, parameter: Parameter) -> Any:
        """The value as `parameter` wants it, None after a mistake."""
        before = len(self.mistakes)
        plain = self.figure() if parameter.kind == "number" else self.plain()
        if len(self.mistakes) > before:
            return None
        try:
            return accept(parameter, plain)
        except ValueError as exc:
            self.mistake(str(exc))
            return None

    def text(self, choices: Collection[str] = ()) -> str | None:
        """A text that is not empty; with `choices`, one of them."""
        value = self._of_kind("text", choices=tuple(choices))
        if value is not None and not value.strip():
            self.mistake("expected a text, got an empty one")
            return None
        return None if value is None else str(value)

    def switch(self) -> bool | None:
        value = self._of_kind("switch")
        return None if value is None else bool(value)

    def integer(self, least: int, most: int) -> int | None:
        value = self._of_kind("integer", least, most)
        return None if value is None else int(value)

    def number(self, above: float = -math.inf, most: float = math.inf) -> float | None:
        """A finite number greater than `above` and at most `most`."""
        value = self._of_kind("number")
        if value is None:
            return None
        if not above < value <= most:
            limits = [f"above {number_text(above)}"] if above > -math.inf else []
            limits += [f"at most {number_text(most)}"] if most < math.inf else []
            self.mistake(f"expected a number {' and '.join(limits)}, got {number_text(value)}")
            return None
        return float(value)

    def _of_kind(
        self, kind: str, least: float | None = None, most: float | None = None, choices: tuple[str, ...] = ()
    ) -> Any:
        return self.accepted(Parameter(self.key, kind, None, "", least, most, choices))
