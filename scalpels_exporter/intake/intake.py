"""One tracer's way in: the bytes of its worker's stdout → its last good snapshot. Wires framing, a reader and a ledger.

One module reads each format. Nothing here waits, and nothing is kept beyond what the bounds allow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from scalpels_exporter.declare import Columns, Command, Format, Lines, Log2, Logfmt, OpenMetrics, Samples, Tracer
from scalpels_exporter.intake.columns import ColumnsParser
from scalpels_exporter.intake.framing import Framing
from scalpels_exporter.intake.ledger import Ledger
from scalpels_exporter.intake.lines import LinesParser
from scalpels_exporter.intake.log2 import Log2Parser
from scalpels_exporter.intake.logfmt import LogfmtParser
from scalpels_exporter.intake.openmetrics import OpenMetricsReader
from scalpels_exporter.intake.records import RecordReader
from scalpels_exporter.intake.rejection import Rejections
from scalpels_exporter.intake.samples import SamplesReader
from scalpels_exporter.intake.snapshot import Snapshot

BLOCK_BYTES = 64 << 10  # what its decoding makes stays in the processor's cache


class Reader(Protocol):
    """Reads one format."""

    def read(self, block: bytes) -> Snapshot | None:
        """Takes whole lines; gives the last snapshot that they completed and that is good."""

    def finish(self) -> Snapshot | None:
        """The worker ended: what it printed last is a snapshot, if the format knows no end marker; None of nothing."""

    def restarted(self) -> None:
        """Forgets what a half-read record or table left behind."""


class Intake:
    """Feeds on one worker's stdout. `budget` is the greatest number of series, `clock` gives unix time."""

    def __init__(self, tracer: Tracer, budget: int, clock: Callable[[], float]) -> None:
        self._rejections = Rejections()
        self._framing = Framing(self._rejections)
        self._ledger = Ledger(tracer, budget, clock, self._rejections)
        self._reader = reader_for(tracer.runs.format, self._ledger)

    def feed(self, chunk: bytes) -> Snapshot | None:
        """Takes what was read from the pipe; gives the last snapshot that this completed and that is good."""
        good: Snapshot | None = None
        for begin in range(0, len(chunk), BLOCK_BYTES):
            piece = chunk if len(chunk) <= BLOCK_BYTES else chunk[begin : begin + BLOCK_BYTES]
            block = self._framing.cut(piece)
            if block:
                good = self._reader.read(block) or good
        return good

    def finish(self) -> Snapshot | None:
        """The worker ended: its last line needs no newline, what it printed since the last snapshot is one.

        None when that is nothing: a worker that dies at once was never running.
        """
        rest = self._framing.rest()
        good = self._reader.read(rest) if rest else None
        return self._reader.finish() or good

    def restarted(self) -> None:
        """A new worker process begins. What the agent itself has counted of increments goes on."""
        self._framing.restarted()
        self._reader.restarted()
        self._ledger.restarted()

    def complaints(self) -> list[str]:
        """The first offence of each reason that has not been told yet, one line each, for the log."""
        return self._rejections.complaints()

    @property
    def completed(self) -> int:
        """How many snapshots were closed, good or not; a tick is answered when this has grown."""
        return self._ledger.completed

    @property
    def rejected(self) -> dict[str, int]:
        """Reason → samples, lines or snapshots refused; only reasons that occurred."""
        return self._rejections.counts

    @property
    def folded(self) -> int:
        """How many label sets were folded into `other` so far."""
        return self._ledger.slots.folded


def reader_for(form: Format, ledger: Ledger) -> Reader:
    """The reader of the format that a declaration names."""
    match form:
        case Samples():
            return SamplesReader(ledger)
        case OpenMetrics():
            return OpenMetricsReader(ledger)
    runs = ledger.tracer.runs
    mode = runs.mode if isinstance(runs, Command) else "ticked"
    match form:
        case Lines():
            return RecordReader(LinesParser(form, ledger), ledger, mode)
        case Columns():
            # A table without labels has one row at a time: the next one, as vmstat prints, restates the first.
            one_series = not any(metric.labels for metric in ledger.tracer.metrics)
            return RecordReader(ColumnsParser(form, ledger), ledger, mode, updates=one_series)
        case Logfmt():
            return RecordReader(LogfmtParser(form, ledger), ledger, mode)
        case Log2():
            return RecordReader(Log2Parser(form, ledger), ledger, mode)
