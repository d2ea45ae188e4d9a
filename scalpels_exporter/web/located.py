"""YAML with the line of every value, for messages that say where a mistake is. Knows no key of any file."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any

import yaml

from scalpels_exporter.config.settings import Mistake, Mistakes

SCALARS = {"str": "text", "int": "an integer", "float": "a number", "bool": "true or false", "null": "nothing"}


def compose(text: str, file: str) -> yaml.Node | None:
    """The root node, None for an empty document; raises Mistakes for what is not YAML."""
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(str(error.problem or error.context or "not YAML").split())
        raise Mistakes([Mistake(file, mark.line + 1 if mark else 0, "", f"not YAML: {problem}")]) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise Mistakes([Mistake(file, 0, "", f"not YAML: {first or type(error).__name__}")]) from None


def kind(node: yaml.Node) -> str:
    """What a value is, for "expected …, got …"."""
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return SCALARS.get(node.tag.rpartition(":")[2], "text")


class Located:
    """Walks nodes and gathers everything that is wrong, instead of ending at the first."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[Mistake] = []

    def wrong(self, node: yaml.Node | None, key: str, problem: str) -> None:
        self.found.append(Mistake(self.file, node.start_mark.line + 1 if node else 0, key, problem))

    def mapping(self, node: yaml.Node | None, key: str, known: Iterable[str] = ()) -> dict[str, yaml.Node]:
        """The entries under their names. With `known`, any other name is a mistake. No value is an empty mapping."""
        if node is None or kind(node) == "nothing":
            return {}
        if not isinstance(node, yaml.MappingNode):
            self.wrong(node, key, f"expected a mapping, got {kind(node)}")
            return {}
        entries: dict[str, yaml.Node] = {}
        names = tuple(known)
        for name_node, value in node.value:
            if not isinstance(name_node, yaml.ScalarNode):
                self.wrong(name_node, key, f"expected a key, got {kind(name_node)}")
                continue
            name = name_node.value
            path = f"{key}.{name}" if key else name
            if name in entries:
                self.wrong(name_node, path, "written twice")
            elif names and name not in names:
                near = difflib.get_close_matches(name, names, 1)
                self.wrong(name_node, path, "unknown key" + (f"; did you mean {near[0]}?" if near else ""))
            else:
                entries[name] = value
        return entries

    def scalar(self, node: yaml.Node | None, key: str, wanted: str, convert: Callable[[str], Any]) -> Any:
        """None where it is absent or wrong. `wanted` is one of SCALARS' names."""
        if node is None:
            return None
        if not isinstance(node, yaml.ScalarNode) or kind(node) != SCALARS[wanted]:
            self.wrong(node, key, f"expected {SCALARS[wanted]}, got {kind(node)}")
            return None
        try:
            return convert(node.value)
        except ValueError as error:
            self.wrong(node, key, str(error))
            return None

    def text(self, node: yaml.Node | None, key: str) -> str:
        return self.scalar(node, key, "str", str) or ""

    def flag(self, node: yaml.Node | None, key: str, default: bool) -> bool:
        value = self.scalar(node, key, "bool", lambda word: word.lower() in ("true", "yes", "on"))
        return default if value is None else bool(value)

    def integer(self, node: yaml.Node | None, key: str) -> int | None:
        value: int | None = self.scalar(node, key, "int", int)
        return value

    def texts(self, node: yaml.Node | None, key: str) -> list[tuple[str, yaml.Node]]:
        """Each text with its node."""
        if node is None or kind(node) == "nothing":
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.wrong(node, key, f"expected a list, got {kind(node)}")
            return []
        return [(word, item) for item in node.value if (word := self.text(item, key))]
