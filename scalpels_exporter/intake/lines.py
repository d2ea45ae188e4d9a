"""Format `lines`: every match of a regular expression is a record, its named groups are the fields."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scalpels_exporter.declare import Lines
from scalpels_exporter.intake.binding import Fields, bind
from scalpels_exporter.intake.guessed import is_comment, numbers_in
from scalpels_exporter.intake.ledger import Ledger
from scalpels_exporter.intake.rejection import Reason


class LinesParser:
    def __init__(self, form: Lines, ledger: Ledger) -> None:
        self._pattern = re.compile(form.pattern) if form.pattern else None
        self._skip = re.compile(form.skip) if form.skip else None
        self._ledger = ledger
        self._bound = bind(form.bindings, ledger)

    def line(self, text: str) -> bool:
        if self._ledger.spoiled or (self._skip is not None and self._skip.search(text)):
            return False
        found = False
        for fields in self._records(text):
            found = True
            for bound in self._bound:
                bound.apply(fields)
        if not found and text.strip() and not is_comment(text):
            what = "the pattern is not found in a line" if self._pattern else "no word of a line is a number"
            self._ledger.rejections.add(Reason.UNMATCHED_LINE, what, text)
        return False

    def end(self) -> None:
        """A line is a whole record."""

    def restarted(self) -> None:
        """A line is a whole record."""

    def _records(self, text: str) -> Iterator[Fields]:
        if self._pattern is not None:
            yield from (match.groupdict() for match in self._pattern.finditer(text))
        else:
            yield from ({"value": value, "unit": unit} for value, unit in numbers_in(text))
