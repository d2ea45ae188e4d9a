"""Sessions that work at the same time: a thread for each, which all begin together."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, Protocol


class Performs(Protocol):
    def perform(self, work: Any, tally: Any, /) -> None: ...


def perform_together(parts: Iterable[tuple[Performs, Any, Any]]) -> None:
    """Each session with its work and its tally. Raises what the first one that failed has raised."""
    parts = list(parts)
    together = threading.Barrier(len(parts))
    failures: list[BaseException] = []

    def part(session: Performs, work: Any, tally: Any) -> None:
        try:
            together.wait()
            session.perform(work, tally)
        except BaseException as error:  # said by the job
            failures.append(error)

    threads = [threading.Thread(target=part, args=one) for one in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
