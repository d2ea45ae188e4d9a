"""Templates like `/orders/{id}/items`, and the one that a path follows. No id of a path comes out again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Node:
    template: str = ""
    literal: dict[str, _Node] = field(default_factory=dict)
    any: _Node | None = None  # for a segment in braces


class Templates:
    """A segment in braces stands for any one segment; one that is written out goes before it."""

    def __init__(self, templates: Iterable[str] = ()) -> None:
        self._root = _Node()
        for template in templates:
            self.add(template)

    def add(self, template: str) -> None:
        """The first of two templates that say the same stays."""
        node = self._root
        for segment in _segments(template):
            if segment.startswith("{"):
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.literal.setdefault(segment, _Node())
        node.template = node.template or template

    def match(self, path: str) -> str:
        """The template that the path follows; "" for none."""
        return _match(self._root, _segments(path))


def _segments(path: str) -> list[str]:
    return path.strip("/").split("/")


def _match(node: _Node, segments: list[str]) -> str:
    if not segments:
        return node.template
    first, rest = segments[0], segments[1:]
    written = node.literal.get(first)
    if written is not None and (found := _match(written, rest)):
        return found
    return _match(node.any, rest) if node.any is not None and first else ""
