"""Format `logfmt`: `key=value key="a value"`, one record a line."""

from __future__ import annotations

import re

from scalpels_exporter.declare import Logfmt
from scalpels_exporter.intake.binding import bind
from scalpels_exporter.intake.ledger import Ledger
from scalpels_exporter.intake.rejection import Reason

PAIR = re.compile(r'(?<!\S)([^\s="]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))(?!\S)')
ESCAPE = re.compile(r"\\(.)")
ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}


class LogfmtParser:
    def __init__(self, form: Logfmt, ledger: Ledger) -> None:
        self._ledger = ledger
        self._bound = bind(form.bindings, ledger)

    def line(self, text: str) -> bool:
        if self._ledger.spoiled:
            return False
        fields: dict[str, str | None] = fields_of(text)
        if fields:
            for bound in self._bound:
                bound.apply(fields)
        elif text.strip():
            self._ledger.rejections.add(Reason.UNMATCHED_LINE, "a line has no key=value", text)
        return False

    def end(self) -> None:
        """A line is a whole record."""

    def restarted(self) -> None:
        """A line is a whole record."""


def fields_of(text: str) -> dict[str, str | None]:
    """The pairs of a line; words without `=` are passed over. A key that comes twice has its last value."""
    fields: dict[str, str | None] = {}
    for key, quoted, plain in PAIR.findall(text):
        fields[key] = ESCAPE.sub(lambda m: ESCAPED.get(m[1], m[1]), quoted) if quoted else plain
    return fields
