"""What the formats made of records share: lines of text, the end of a snapshot, and when a stream is published."""

from __future__ import annotations

import re
from typing import Protocol

from scalpels_exporter.intake.ledger import Ledger
from scalpels_exporter.intake.rejection import Reason
from scalpels_exporter.intake.snapshot import Snapshot

SEPARATOR = "\x1e"  # ASCII record separator at the end of a line: the output of one run ends here
# Colours, and what a tool that believes in a terminal prints besides: they are no part of a number or a label.
_ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*+[ -/]*+[@-~]|\([0-9A-Z])")


class Parser(Protocol):
    """Reads the lines of one format into a ledger."""

    def line(self, text: str) -> bool:
        """Takes one line without its newline; whether a table that began before it ended with it."""

    def end(self) -> None:
        """No more will come for what is half-read: it is complete."""

    def restarted(self) -> None:
        """What is half-read is dropped."""


class RecordReader:
    """Decides what a snapshot is.

    `rerun`: everything up to the separator, or to `finish`. `ticked`: the same, or a table. `stream`: a table, or,
    in the formats without tables and for a table of one series (`updates`), the present state at the end of each
    block: every line may change it.
    A stream that prints separators is read as snapshots from its first separator on.
    """

    def __init__(self, parser: Parser, ledger: Ledger, mode: str, updates: bool = True) -> None:
        self._parser = parser
        self._ledger = ledger
        self._tables = mode != "rerun"
        ledger.updates = updates and mode == "stream"

    def read(self, block: bytes) -> Snapshot | None:
        """Takes whole lines; gives the last snapshot that they completed and that is good."""
        good: Snapshot | None = None
        ledger, parser = self._ledger, self._parser
        for text in self._decode(block):
            ends = text.endswith(SEPARATOR)
            if ends:
                ledger.updates = self._tables = False
                text = text[:-1]  # a run may have printed its last line without a newline
            if text or not ends:
                if not ledger.updates:
                    ledger.admit(len(text) + 1, 1)
                if parser.line(text) and self._tables and not ledger.updates:
                    good = ledger.close() or good
            if ends:
                good = self._end_run() or good
        if ledger.updates:
            good = ledger.publish() or good
        return good

    def finish(self) -> Snapshot | None:
        """A worker that ended without a word leaves the last good snapshot as it is."""
        self._parser.end()
        return self._ledger.publish()

    def _end_run(self) -> Snapshot | None:
        """What a run printed is its whole state, also when that is nothing."""
        self._parser.end()
        return self._ledger.close(keep=self._ledger.updates)

    def restarted(self) -> None:
        self._parser.restarted()

    def _decode(self, block: bytes) -> list[str]:
        if b"\x1b" in block:
            block = _ESCAPES.sub(b"", block)
        try:
            return block.decode().replace("\r\n", "\n").split("\n")[:-1]
        except UnicodeDecodeError:
            return list(self._decode_one_by_one(block))

    def _decode_one_by_one(self, block: bytes) -> list[str]:
        lines = []
        for raw in block.split(b"\n")[:-1]:
            try:
                lines.append(raw.decode().removesuffix("\r"))
            except UnicodeDecodeError:
                self._ledger.rejections.add(Reason.BAD_SYNTAX, "a line is not UTF-8", raw)
        return lines
