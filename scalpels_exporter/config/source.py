"""A YAML file → its nodes, each with its line. Bounded: a hostile file costs one line of refusal, not the memory.

Builds no Python values (`tree` does) and so runs nothing that the file asks for.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from scalpels_exporter.config.parameters import shorten
from scalpels_exporter.config.settings import Mistake, Mistakes

MOST_BYTES = 1 << 20
_MOST_NODES = 20_000  # about 1 s of pure-Python YAML
_MOST_EXPANDED = 100_000  # nodes once every alias is followed
_DEEPEST = 20


class _TooMuch(Exception):
    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line


class _BoundedLoader(yaml.SafeLoader):
    """Composes as SafeLoader does, and gives up on too many or too deep nodes."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.nodes = 0
        self.depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.nodes += 1
        self.depth += 1
        if self.nodes > _MOST_NODES or self.depth > _DEEPEST:
            line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
            what = f"more than {_MOST_NODES} values" if self.nodes > _MOST_NODES else f"more than {_DEEPEST} levels"
            raise _TooMuch(line, f"expected a configuration, found {what}")
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


def read(path: Path) -> str:
    """The text of the file. Mistakes when it cannot be read, is over 1 MiB or not UTF-8."""
    try:
        if not path.is_file():
            found = "found none" if not path.exists() else "found something else"
            raise _refusal(path, 0, f"expected a file, {found}")
        with path.open("rb") as file:
            # It says what is started with which privileges. Its folder is not asked, so that a file can be tried.
            if os.fstat(file.fileno()).st_mode & stat.S_IWOTH and not os.fstatvfs(file.fileno()).f_flag & os.ST_RDONLY:
                raise _refusal(path, 0, f"can be written by anyone; chmod o-w {path}")
            raw = file.read(MOST_BYTES + 1)
    except OSError as exc:
        raise _refusal(path, 0, f"cannot be read: {exc.strerror}") from None
    if len(raw) > MOST_BYTES:
        raise _refusal(path, 0, f"expected at most {MOST_BYTES} bytes, found more")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        raise _refusal(path, line, f"expected UTF-8, found the byte 0x{raw[exc.start]:02x}") from None


def compose(path: Path, text: str) -> yaml.Node | None:
    """The root node, None for an empty file. Mistakes, with one, for what is no YAML or too much of it."""
    try:
        node: yaml.Node | None = _BoundedLoader(text).get_single_node()
        if node is not None:
            _weigh(node, {}, set())
    except _TooMuch as exc:
        raise _refusal(path, exc.line, str(exc)) from None
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        problem = ", ".join(part for part in (exc.context, exc.problem) if part)
        raise _refusal(path, mark.line + 1 if mark else 0, f"no YAML: {shorten(problem, 200)}") from None
    except yaml.reader.ReaderError as exc:
        line = text.count("\n", 0, exc.position) + 1
        raise _refusal(path, line, f"no YAML: the character U+{int(exc.character):04X} is not allowed") from None
    return node


def _refusal(path: Path, line: int, problem: str) -> Mistakes:
    return Mistakes([Mistake(str(path), line, "", problem)])


def _weigh(node: yaml.Node, known: dict[int, tuple[int, int]], above: set[int]) -> tuple[int, int]:
    """How many nodes stand at and below `node`, and how deep, with every alias followed.

    _TooMuch for an alias that leads back to itself, for billions of laughs and for towers of aliases.
    """
    if id(node) in known:
        return known[id(node)]
    line = node.start_mark.line + 1
    if id(node) in above:
        raise _TooMuch(line, "an anchor that holds itself is not allowed")
    above.add(id(node))
    below = [_weigh(child, known, above) for child in _children(node)]
    above.discard(id(node))
    weight = 1 + sum(weight for weight, _ in below)
    height = 1 + max((height for _, height in below), default=0)
    if weight > _MOST_EXPANDED or height > _DEEPEST:
        what = f"more than {_DEEPEST} levels" if height > _DEEPEST else f"more than {_MOST_EXPANDED} values"
        raise _TooMuch(line, f"expected a configuration, found {what} behind aliases")
    known[id(node)] = (weight, height)
    return weight, height


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value
