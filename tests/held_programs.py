"""The kernel programs that a process holds, as descriptors of one's own. Read only."""

from __future__ import annotations

import contextlib
import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path

from scalpels_exporter.bpf import calls

_PROGRAM_BY_ID = 13  # a command of bpf()


@contextlib.contextmanager
def held_programs(pid: int) -> Iterator[list[int]]:
    with contextlib.ExitStack() as stack:
        found = []
        for identity in _identities(pid):
            descriptor = calls.bpf(_PROGRAM_BY_ID, struct.pack("=III", identity, 0, 0))
            stack.callback(os.close, descriptor)
            found.append(descriptor)
        yield found


def _identities(pid: int) -> set[int]:
    found = set()
    for file in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed in this moment
            identity = re.search(r"^prog_id:\s*(\d+)$", file.read_text(), re.M)
            if identity:
                found.add(int(identity[1]))
    return found
