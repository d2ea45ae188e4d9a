"""What an HTTP server's access log says it served: every server of the tests writes the same fields, parted by tabs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loads.reports import Request
from running import wait_until

# "METHOD TARGET[ PROTOCOL]", status, bytes of the body or of all, how long it took in the server's own unit.
LINE = re.compile(
    r"(?P<method>\S+) (?P<path>[^?\s]*)(?:\?\S*)?(?: HTTP/\S+)?\t(?P<status>\d+)\t(?P<bytes>\d+|-)\t(?P<took>[\d.]+|-)"
)
READINESS = "/is-ready"  # asked by the tests until the server answers; not counted


@dataclass(frozen=True)
class Served:
    """One line."""

    method: str
    path: str
    status: int
    size: int
    seconds: float

    @property
    def request(self) -> Request:
        return self.method, self.path, self.status


class AccessLog:
    """Reads from where the file ended when this was made; `unit`: seconds of one of the server's."""

    def __init__(self, file: Path, unit: float) -> None:
        self._file = file
        self._unit = unit
        self._begin = file.stat().st_size if file.exists() else 0

    def lines(self) -> Iterator[Served]:
        """Of every whole line but the readiness checks; a line of another form is an error."""
        with self._file.open("rb") as file:
            file.seek(self._begin)
            text = file.read().decode()
        for line in text[: text.rfind("\n") + 1].splitlines():
            found = LINE.fullmatch(line.strip())
            assert found is not None, f"not a line of an access log: {line!r}"
            if found["path"] != READINESS:
                size = 0 if found["bytes"] == "-" else int(found["bytes"])
                seconds = 0.0 if found["took"] == "-" else float(found["took"]) * self._unit
                yield Served(found["method"], found["path"], int(found["status"]), size, seconds)

    def requests(self, at_least: int = 0) -> Counter[Request]:
        """(method, path, status) → times. A server writes its line after the answer: waits until there are so many.

        For the same reason this is made before the first call that is to be counted, and after the lines of those
        before it.
        """
        if at_least:
            wait_until(lambda: sum(1 for _ in self.lines()) >= at_least, 20, f"{at_least} lines in the access log")
        return Counter(line.request for line in self.lines())
