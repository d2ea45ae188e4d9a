"""What a person could do about what `once` saw: of refusals, of a missing snapshot. Texts only; decides nothing."""

from __future__ import annotations

from collections.abc import Mapping

from scalpels_exporter.declare import Columns, Command, Format, Lines, OpenMetrics, Samples, Tracer
from scalpels_exporter.intake.guessed import numbers_in
from scalpels_exporter.intake.rejection import Reason

MOST_BYTES = 256 * 1024  # that are looked at
_SEPARATOR = "a line that ends in the byte 0x1e (printf '\\036\\n')"

_SEVERAL = (
    "a line has several numbers with the same word, or none, behind them: a pattern with named groups tells them apart"
)
_BARE_NUMBER = (
    "a number is bare, as in 1234.5: let the pattern leave a unit, % or thousands separator out, or change the output, "
    "as in [sh, -c, \"free -h | sed 's/Gi//g'\"]"
)
_BARE_CELL = (
    "a number is bare, as in 1234.5 or 56%: have the tool print plain numbers (without -h, or with -b), or change the "
    "output, as in [sh, -c, \"free -h | sed 's/Gi//g'\"]"
)
_WORDS_OF_A_HEADER = (
    "in a header each word is a column; where one column has two words, as in `Mounted on`, name the columns yourself: "
    "columns: [filesystem, size, …]"
)
_NO_NUMBER = (
    "a number is a word of its own, its unit behind it: 12 pkt/s, 12ms, 56%; a pattern takes it from anything else, "
    "as '(?P<unit>\\w+)=(?P<value>\\d+)' from rx=12, and `skip` leaves a header out"
)
_NO_MATCH = "a header or another line that is not meant is left out with skip: REGEX"
_ROWS = "the rows of a table need labels that tell them apart"
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
        self._left = MOST_BYTES
        self.found: list[str] = []

    def at(self, chunk: bytes) -> None:
        piece = chunk[: self._left]
        self._left -= len(piece)
        if self._guesses and not self.found and any(map(_repeats, piece.decode(errors="replace").split("\n"))):
            self.found.append(_SEVERAL)


def _repeats(line: str) -> bool:
    units = [unit for _, unit in numbers_in(line)]
    return len(set(units)) < len(units)


def of_refusals(tracer: Tracer, rejected: Mapping[str, int]) -> list[str]:
    """What mends the refusals that a first script meets."""
    format = tracer.runs.format
    if isinstance(format, Samples | OpenMetrics):
        return []
    found = []
    guesses = isinstance(format, Lines) and not format.pattern
    if Reason.NOT_A_NUMBER in rejected:
        found.append(_BARE_CELL if isinstance(format, Columns) else _BARE_NUMBER)
    if Reason.UNMATCHED_LINE in rejected:
        if isinstance(format, Lines):
            found.append(_NO_NUMBER if guesses else _NO_MATCH)
        elif isinstance(format, Columns) and not format.names:
            found.append(_WORDS_OF_A_HEADER)
    if Reason.DUPLICATE_SERIES in rejected:
        found.append(_ROWS if isinstance(format, Columns) else _SEVERAL if guesses else _RECORDS)
    return found


def of_silence(tracer: Tracer) -> str:
    """Where nothing was printed, `; …`."""
    if not isinstance(tracer.runs, Command) or tracer.runs.mode == "rerun":
        return ""
    return "; a command may keep its output back when no terminal reads it: let it flush, as with stdbuf -oL"


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
