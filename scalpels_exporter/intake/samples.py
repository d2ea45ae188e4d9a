"""Format `samples`: JSON lines, one sample a line, a snapshot closed by `{"end": true}`. What built-in tracers print.

The hot path of the agent: a whole block of lines is decoded at once, and a series that is known costs one look-up.
"""

from __future__ import annotations

import gc
import json
import math
from typing import Any

import orjson

from scalpels_exporter.declare import Counts
from scalpels_exporter.intake.ledger import Ledger
from scalpels_exporter.intake.rejection import Reason
from scalpels_exporter.intake.snapshot import Snapshot

LOST_REASONS = 32
SEPARATOR = b"\x1e"


class SamplesReader:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._rejections = ledger.rejections

    def read(self, block: bytes) -> Snapshot | None:
        """Takes whole lines; gives the last snapshot that they completed and that is good."""
        if self._ledger.spoiled:
            return self._skip(block)
        # Decoding makes many containers and no cycle: the collector, which would run dozens of times in vain, waits.
        collects = gc.isenabled()
        gc.disable()
        try:
            return self._read(block)
        finally:
            if collects:
                gc.enable()

    def _read(self, block: bytes) -> Snapshot | None:
        lines = block.count(b"\n")
        try:
            items = orjson.loads(b"[" + block[:-1].replace(b"\n", b",") + b"]")
        except orjson.JSONDecodeError:
            items = None
        # A line that is no JSON by itself could become some between its neighbours; then the numbers differ.
        if items is None or len(items) != lines:
            items = [decode_line(line) for line in block.split(b"\n")[:-1]]
        # JSON has no booleans where these letters do not occur, so that they are looked for in few blocks only.
        good, ended = self._take(items, b"true" in block or b"false" in block)
        # Only what came since the last end belongs to the snapshot that is being built.
        open_lines = lines - ended
        self._ledger.admit(len(block) * open_lines // lines, open_lines)
        return good

    def finish(self) -> Snapshot | None:
        if self._ledger.begun:
            self._ledger.give_up()
        return None

    def restarted(self) -> None:
        """Nothing is kept here."""

    def _take(self, items: list[Any], booleans: bool) -> tuple[Snapshot | None, int]:
        """The last good snapshot, and the number of items up to the last end."""
        good: Snapshot | None = None
        ended = 0
        checks = self._ledger.checks
        for position, item in enumerate(items, 1):
            try:
                name, labels, value = item
                check = checks[name]
            except (TypeError, ValueError, KeyError):
                if item.__class__ is dict:
                    good = self._end(item) or good
                    ended = position
                elif item == SEPARATOR:
                    # A run ended: without the end object before it, what it printed is no snapshot.
                    if position - 1 > ended or self._ledger.begun:
                        self._ledger.give_up()
                    ended = position
                elif item is not None:
                    self._refuse(item)
                continue
            if labels.__class__ is not list:
                self._rejections.add(Reason.WRONG_LABELS, "label values are a list of texts", item)
                continue
            if value.__class__ is dict:
                # What is no histogram is handed on as it is, to be refused with its series' past in view.
                value = counts_of(value, booleans) or value
            check.put(tuple(labels), value)
        return good, ended

    def _refuse(self, item: Any) -> None:
        if item.__class__ is NotJson:
            self._rejections.add(Reason.BAD_SYNTAX, "a line is a JSON array or the end object", item)
        elif item.__class__ is list and len(item) == 3 and item[0].__class__ is str:
            self._rejections.add(Reason.UNDECLARED_METRIC, "not among the tracer's metrics", item[0])
        else:
            self._rejections.add(Reason.BAD_SYNTAX, "a sample is [metric, [label values], value]", item)

    def _end(self, item: dict[str, Any]) -> Snapshot | None:
        if item.get("end") is not True:
            self._rejections.add(Reason.BAD_SYNTAX, 'an object line closes a snapshot: {"end": true}', item)
            return None
        lost, seconds, runs = item.get("lost", {}), item.get("probe_seconds", 0.0), item.get("probe_runs", 0)
        fill = item.get("fill", {})
        if not (_is_lost(lost) and _is_amount(seconds) and _is_amount(runs) and _is_fill(fill)):
            self._rejections.add(Reason.BAD_SYNTAX, "lost, probe_seconds, probe_runs and fill are amounts", item)
            return self._ledger.close()
        return self._ledger.close(lost, float(seconds), int(runs), fill=fill)

    def _skip(self, block: bytes) -> Snapshot | None:
        """Looks for the end of a snapshot that was refused; its samples are not even decoded."""
        begin = 0
        while begin < len(block):
            if not block.startswith(b"{", begin):
                begin = block.find(b"\n{", begin) + 1
                if begin == 0:
                    return None
            stop = block.index(b"\n", begin)
            item = decode_line(block[begin:stop])
            begin = stop + 1
            if item.__class__ is dict and item.get("end") is True:
                self._ledger.close()
                return self.read(block[begin:]) if begin < len(block) else None
        return None


class NotJson(bytes):
    """A line that could not be decoded."""


def decode_line(line: bytes) -> Any:
    """One line's value; None for a blank one, NotJson where it is none."""
    if not line.strip():
        return None
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        pass
    if b"NaN" in line or b"Infinity" in line:
        # Not JSON either, but what many libraries print: let the sample be refused for what it is.
        try:
            return json.loads(line, parse_int=float)
        except (ValueError, RecursionError):
            pass
    return NotJson(line)


def counts_of(value: dict[str, Any], booleans: bool) -> Counts | None:
    """The histogram of a JSON object; None when a part of it is missing or of the wrong type."""
    try:
        counts, total = value["counts"], value["sum"]
        first, zero = value.get("first", 0), value.get("zero", 0)
        # The sum of a list of whole numbers is one; any float or text among them shows here.
        if sum(counts).__class__ is not int or counts.__class__ is not list:
            return None
    except (KeyError, TypeError):
        return None
    if first.__class__ is not int or zero.__class__ is not int:
        return None
    if total.__class__ is not float and total.__class__ is not int:
        return None
    if booleans and bool in map(type, counts):
        return None
    # A tuple of numbers is none of the cycle collector's business; a list is walked through by every collection.
    return Counts(total, tuple(counts), first, zero)


def _is_amount(value: Any) -> bool:
    return (value.__class__ is int or value.__class__ is float) and 0 <= value < math.inf


def _is_lost(value: Any) -> bool:
    return (
        value.__class__ is dict
        and len(value) <= LOST_REASONS
        and all(0 < len(name) <= 64 and count.__class__ is int and count >= 0 for name, count in value.items())
    )


def _is_fill(value: Any) -> bool:
    return (
        value.__class__ is dict
        and len(value) <= LOST_REASONS
        and all(0 < len(name) <= 64 and _is_amount(share) for name, share in value.items())
    )
