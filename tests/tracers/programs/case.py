"""Children that live as long as their parent, and what must be shown of them under every kernel (tests/kernels)."""

import os
from typing import Any

PARAMETERS: dict[str, Any] = {}


def work() -> None:
    reader, writer = os.pipe()
    for _ in range(7):
        if not os.fork():
            os.close(writer)
            os.read(reader, 1)  # returns when the parent has ended
            os._exit(0)


COUNTS = {"scalpels_programs_processes": 7}
