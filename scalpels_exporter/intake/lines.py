"""Format `lines`: every match of a regular expression is a record, its named groups are the fields."""

from __future__ import annotations

import re

from scalpels_exporter.declare import Lines
from scalpels_exporter.intake.binding import bind
from scalpels_exporter.intake.ledger import Ledger
from scalpels_exporter.intake.rejection import Reason

# A number that stands by itself (not the 0 of eth0), and the word after it: `12.00 pkt/s 3400.00 byte/s`.
# Without steps back (++), which on a line of a megabyte would take hours.
EVERY_NUMBER = re.compile(
    r"(?<![\w.])(?P<value>[-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?)(?![\d.])"
    r"[ \t]*+(?P<unit>[^\s\d.+-][^\s]*)?",
    re.ASCII,
)


class LinesParser:
    def __init__(self, form: Lines, ledger: Ledger) -> None:
        self._pattern = re.compile(form.pattern) if form.pattern else EVERY_NUMBER
        self._default = not form.pattern
        self._ledger = ledger
        self._bound = bind(form.bindings, ledger)

    def line(self, text: str) -> bool:
        if self._ledger.spoiled:
            return False
        found = False
        for match in self._pattern.finditer(text):
            found = True
            fields = match.groupdict(default="" if self._default else None)
            for bound in self._bound:
                bound.apply(fields)
        if not found and text.strip():
            self._ledger.rejections.add(Reason.UNMATCHED_LINE, "the pattern is not found in a line", text)
        return False

    def end(self) -> None:
        """A line is a whole record."""

    def restarted(self) -> None:
        """A line is a whole record."""
