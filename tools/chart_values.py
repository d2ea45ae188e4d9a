"""Writes the chart's values.schema.json and the table in its README.md, from values.yaml and its comments.

    # -- What the value is.
    # @schema {minimum: 1}      what its default cannot say of it
    key: default

A mapping whose keys have comments is a section, in which no other key may stand. `make update` runs it, and
tests/house compares.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parent.parent / "helm" / "scalpels-exporter"
SOURCE, SCHEMA, README = (CHART / name for name in ("values.yaml", "values.schema.json", "README.md"))
_TABLE = re.compile(r"(<!-- generated: values -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_TYPES = {bool: "boolean", int: "integer", str: "string", list: "array", dict: "object"}


@dataclass
class Value:
    """A key of values.yaml: documented, or a section that has documented keys."""

    key: str
    default: Any
    text: str
    schema: dict[str, Any]
    keys: list[Value] = field(default_factory=list)


def read(source: str) -> list[Value]:
    """Raises ValueError for a value without a comment."""
    node = yaml.compose(source, Loader=yaml.SafeLoader)
    assert isinstance(node, yaml.MappingNode)
    return _section(node, yaml.safe_load(source), source.splitlines())


def _section(node: yaml.MappingNode, content: dict[str, Any], lines: list[str]) -> list[Value]:
    found = []
    for key, value in node.value:
        text, schema = _comment(lines, key.start_mark.line)
        one = Value(key.value, content[key.value], text, schema)
        if not text:
            if not isinstance(value, yaml.MappingNode) or not value.value:
                raise ValueError(f"{SOURCE.name}:{key.start_mark.line + 1}: {key.value} has no comment `# -- …`")
            one.keys = _section(value, one.default, lines)
        found.append(one)
    return found


def _comment(lines: list[str], at: int) -> tuple[str, dict[str, Any]]:
    """What stands directly above line `at`."""
    text, schema = "", {}
    while at > 0 and (line := lines[at - 1].strip()).startswith("# "):
        if line.startswith("# @schema "):
            schema = yaml.safe_load(line.removeprefix("# @schema "))
        elif line.startswith("# -- "):
            text = line.removeprefix("# -- ")
        at -= 1
    return text, schema


def schema(values: list[Value]) -> dict[str, Any]:
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **_schema_of(values),
    }


def _schema_of(values: list[Value]) -> dict[str, Any]:
    found = {one.key: _one(one) for one in values}
    return {"type": "object", "additionalProperties": False, "properties": found}


def _one(value: Value) -> dict[str, Any]:
    if value.keys:
        return _schema_of(value.keys)
    return {"description": value.text, "type": _TYPES[type(value.default)], **value.schema}


def table(values: list[Value]) -> str:
    rows = (f"| `{path}` | `{json.dumps(one.default)}` | {one.text} |\n" for path, one in _leaves(values))
    return "| value | default | is |\n| --- | --- | --- |\n" + "".join(rows)


def _leaves(values: list[Value], before: str = "") -> Iterator[tuple[str, Value]]:
    for one in values:
        if one.keys:
            yield from _leaves(one.keys, f"{before}{one.key}.")
        else:
            yield f"{before}{one.key}", one


def files() -> dict[Path, str]:
    """The text of each file by its path."""
    values = read(SOURCE.read_text())
    whole = schema(values)
    whole["properties"]["global"] = {"description": "What a chart above passes to all.", "type": "object"}
    readme = _TABLE.sub(lambda match: f"{match[1]}{table(values)}{match[3]}", README.read_text())
    return {SCHEMA: json.dumps(whole, indent=2) + "\n", README: readme}


def main() -> int:
    """Exit status 0, 1 where a value has no comment; says what has changed."""
    try:
        made = files()
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for path, text in made.items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            sys.stdout.write(f"{path.name} updated\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
