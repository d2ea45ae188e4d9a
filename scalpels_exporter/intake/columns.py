"""Format `columns`: a header line, then one record a line, as the classic tools print. The header names the columns
unless the declaration does.
"""

from __future__ import annotations

import re

from scalpels_exporter.declare import Columns
from scalpels_exporter.intake.binding import bind
from scalpels_exporter.intake.ledger import Ledger
from scalpels_exporter.intake.rejection import Reason

COLUMNS = 256


class ColumnsParser:
    """A table ends at a blank line or at the next header. Blanks in the last column belong to it."""

    def __init__(self, form: Columns, ledger: Ledger) -> None:
        self._header_pattern = re.compile(form.header) if form.header else None
        self._separator = re.compile(form.separator)
        self._trims = form.separator == r"\s+"
        self._ledger = ledger
        self._bound = bind(form.bindings, ledger, percents=True)
        self._given = form.names
        self._header: tuple[str, ...] | None = None  # its cells as they are printed, to know it again
        self._names: tuple[str, ...] = ()
        self._rows = 0

    def line(self, text: str) -> bool:
        if not text.strip():
            return self._close_table()
        if self._header_pattern is not None:
            if self._header_pattern.search(text):
                return self._begin_table(text)
        elif self._header is None or self._cells(text) == self._header:
            return self._begin_table(text)
        if self._header is None or self._ledger.spoiled:
            return False
        self._rows += 1
        cells = self._cells(text, len(self._names))
        if len(cells) != len(self._names):
            self._ledger.rejections.add(
                Reason.UNMATCHED_LINE, f"a row has {len(cells)} cells, {len(self._names)} columns are named", text
            )
            return False
        fields: dict[str, str | None] = dict(zip(self._names, cells, strict=True))
        for bound in self._bound:
            bound.apply(fields)
        return False

    def end(self) -> None:
        self._close_table()

    def restarted(self) -> None:
        self._close_table()

    def _begin_table(self, text: str) -> bool:
        ended = self._close_table()
        self._header = self._cells(text)
        self._names = self._given or self._header
        return ended

    def _close_table(self) -> bool:
        """Whether there was a row: two header lines in a row, or two blank ones, end nothing."""
        ended = self._rows > 0
        self._header = None
        self._rows = 0
        return ended

    def _cells(self, text: str, columns: int = COLUMNS) -> tuple[str, ...]:
        cells = self._separator.split(text.strip() if self._trims else text, maxsplit=columns - 1)
        return tuple(cell.strip() for cell in cells)
