"""What a worker printed against the contract: counted by a closed list of reasons, told once. Judges nothing itself."""

from __future__ import annotations

from enum import StrEnum

EXCERPT_CHARACTERS = 120


class Reason(StrEnum):
    """The label `reason` of `scalpels_worker_rejected_total`. docs/worker-contract.md explains each."""

    UNDECLARED_METRIC = "undeclared_metric"
    WRONG_TYPE = "wrong_type"
    WRONG_LABELS = "wrong_labels"
    BAD_LABEL = "bad_label"
    NOT_A_NUMBER = "not_a_number"
    NEGATIVE_COUNTER = "negative_counter"
    COUNTER_BACKWARDS = "counter_backwards"
    BAD_HISTOGRAM = "bad_histogram"
    DUPLICATE_SERIES = "duplicate_series"
    TIMESTAMP = "timestamp"
    EXEMPLAR = "exemplar"
    BAD_SYNTAX = "bad_syntax"
    UNMATCHED_LINE = "unmatched_line"
    LINE_TOO_LONG = "line_too_long"
    SNAPSHOT_TOO_LARGE = "snapshot_too_large"
    UNFINISHED_SNAPSHOT = "unfinished_snapshot"


class Rejections:
    """Counts refusals; keeps the text of each reason's first offence until `complaints` has handed it out."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.total = 0
        self._untold: list[str] = []

    def add(self, reason: Reason, explanation: str, offence: object = None) -> None:
        self.total += 1
        known = self.counts.get(reason.value)
        if known is not None:
            self.counts[reason.value] = known + 1
            return
        self.counts[reason.value] = 1
        shown = "" if offence is None else f": {excerpt(offence)}"
        self._untold.append(f"{reason.value}: {explanation}{shown}")

    def complaints(self) -> list[str]:
        """What has not been told yet: at most one text for each reason in the life of an intake."""
        told, self._untold = self._untold, []
        return told


def excerpt(offence: object) -> str:
    """A short printable piece of what was refused, safe to write into a log."""
    if isinstance(offence, bytes | bytearray):
        text = ascii(bytes(offence[:EXCERPT_CHARACTERS]))[1:]
    elif isinstance(offence, str):
        text = repr(offence[:EXCERPT_CHARACTERS])
    else:
        text = repr(offence)
    return text if len(text) <= EXCERPT_CHARACTERS else text[:EXCERPT_CHARACTERS] + "…"
