"""Rows of cells → aligned lines that fit a width. Knows nothing of what the cells mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from scalpels_exporter.cli.screen import Screen, padded, shorten

GAP = 2  # cells between two columns
LEAST = 6  # cells that an elastic column keeps


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    right: bool = False  # numbers
    elastic: bool = False  # is shortened when the lines are too long


class Table:
    """A column whose cells are all empty is left out."""

    def __init__(self, columns: Sequence[Column], indent: int = 0) -> None:
        self._columns = columns
        self._indent = indent
        self._rows: list[list[Text]] = []

    def add(self, *cells: Text | str) -> None:
        assert len(cells) == len(self._columns)
        self._rows.append([Text(cell) if isinstance(cell, str) else cell for cell in cells])

    @property
    def natural_width(self) -> int:
        """Cells that the longest line takes when nothing is shortened."""
        return self._total(self._natural())

    def lines(self, width: int | None = None) -> Iterator[Text]:
        """The title's line, then one for each row."""
        widths = self._natural() if width is None else self._fitted(width)
        shown = [n for n, cells in enumerate(widths) if cells]
        titles = [Text(column.title, style="dim") for column in self._columns]
        for row in [titles, *self._rows]:
            line = Text(" " * self._indent)
            for n in shown:
                if n != shown[0]:
                    line.append(" " * GAP)
                line.append_text(padded(shorten(row[n], widths[n]), widths[n], right=self._columns[n].right))
            line.rstrip()
            yield line

    def print_on(self, screen: Screen) -> None:
        for line in self.lines(screen.width):
            screen.line(line)

    def _natural(self) -> list[int]:
        widths = [max((row[n].cell_len for row in self._rows), default=0) for n in range(len(self._columns))]
        return [max(w, len(c.title)) if w else 0 for w, c in zip(widths, self._columns, strict=True)]

    def _total(self, widths: Sequence[int]) -> int:
        shown = [w for w in widths if w]
        return self._indent + sum(shown) + GAP * max(0, len(shown) - 1)

    def _fitted(self, width: int) -> list[int]:
        widths = self._natural()
        elastic = [n for n, column in enumerate(self._columns) if column.elastic and widths[n]]
        while (over := self._total(widths) - width) > 0:
            widest = max(elastic, key=lambda n: widths[n], default=None)
            if widest is None or widths[widest] <= LEAST:
                break  # the screen cuts the rest
            second = max((widths[n] for n in elastic if n != widest), default=LEAST)
            least = max(LEAST, min(second, widths[widest] - 1))
            widths[widest] = max(least, widths[widest] - over)
        return widths
