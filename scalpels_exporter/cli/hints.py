"""What a person could do about what `once` saw: of refusals, of a missing snapshot. Texts only; decides nothing."""

from __future__ import annotations

from collections.abc import Mapping

from scalpels_exporter.declare import Columns, Command, Format, Lines, OpenMetrics, Samples, Tracer
from scalpels_exporter.intake.lines import EVERY_NUMBER
from scalpels_exporter.intake.rejection import Reason

MOST_BYTES = 256 * 1024  # that are looked at
_SEPARATOR = "a line that ends in the byte 0x1e (printf '\\036\\n')"

_SEVERAL = (
    "a line has several numbers with the same word, or none, behind them: a pattern with named groups tells them apart"
)
_COLOURS = "it prints colours, which are read as text: switch them off, as with --color=never or NO_COLOR=1"
_BARE_NUMBER = (
    "a number is bare, as in 1234.5: let the pattern leave a unit, % or thousands separator out, or change the output, "
    "as in [sh, -c, \"df -P | sed 's/%//'\"]"
)
_WORDS_OF_A_HEADER = (
    "in a header each word is a column; where one column has two words, change it, "
    "as in [sh, -c, \"df -P | sed '1s/ on$//'\"]"
)
_ROWS = (
    "the rows of a table need labels that tell them apart; for a row a second under one header, as vmstat prints, "
    "use the format lines and a pattern"
)
_RECORDS = "these records have the same labels: add a label that tells them apart, or add them up in the command"

OF_STATUS = (
    "an agent would count that as a failure, start it anew later and later, and give it up after five in a row; where "
    "the status is a part of the answer, as of a Nagios check, write [sh, -c, 'CHECK; exit 0']"
)


class Looks:
    """Looks at what a worker prints, for what is taken without a complaint and yet not meant."""

    def __init__(self, tracer: Tracer) -> None:
        format = tracer.runs.format
        self._guesses = isinstance(format, Lines) and not format.pattern
        self._text = not isinstance(format, Samples | OpenMetrics)
        self._left = MOST_BYTES
        self.found: list[str] = []

    def at(self, chunk: bytes) -> None:
        piece = chunk[: self._left]
        self._left -= len(piece)
        if self._text and b"\x1b[" in piece:
            self._add(_COLOURS)
        elif (
            self._guesses
            and _SEVERAL not in self.found
            and any(map(_repeats, piece.decode(errors="replace").split("\n")))
        ):
            self._add(_SEVERAL)

    def _add(self, hint: str) -> None:
        if hint not in self.found:
            self.found.append(hint)


def _repeats(line: str) -> bool:
    units = [match["unit"] for match in EVERY_NUMBER.finditer(line)]
    return len(set(units)) < len(units)


def of_refusals(tracer: Tracer, rejected: Mapping[str, int]) -> list[str]:
    """What mends the refusals that a first script meets."""
    format = tracer.runs.format
    if isinstance(format, Samples | OpenMetrics):
        return []
    found = []
    if Reason.NOT_A_NUMBER in rejected:
        found.append(_BARE_NUMBER)
    if Reason.UNMATCHED_LINE in rejected and isinstance(format, Columns):
        found.append(_WORDS_OF_A_HEADER)
    if Reason.DUPLICATE_SERIES in rejected:
        guesses = isinstance(format, Lines) and not format.pattern
        found.append(_ROWS if isinstance(format, Columns) else _SEVERAL if guesses else _RECORDS)
    return found


def of_silence(tracer: Tracer) -> str:
    """Where nothing was printed, `; …`."""
    if not isinstance(tracer.runs, Command) or tracer.runs.mode == "rerun":
        return ""
    return "; a command may keep its output back when no terminal reads it: let it flush (stdbuf -oL, for Python -u)"


def of_no_end(tracer: Tracer) -> str:
    """Where something was printed and no snapshot was finished, `; …`."""
    runs = tracer.runs
    if not isinstance(runs, Command) or runs.mode == "rerun":
        return ""
    return f"; {_end(runs.format, runs.mode)} ends one"


def _end(format: Format, mode: str) -> str:
    if isinstance(format, Samples):
        return 'the line {"end": true}'
    if isinstance(format, OpenMetrics):
        return "the line # EOF"
    if isinstance(format, Columns):
        return "a blank line, the next header"
    return _SEPARATOR if mode == "ticked" else "a newline"
