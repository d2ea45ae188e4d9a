"""The kernel programs that a process holds, and what the verifier had to do for each. Read only."""

from __future__ import annotations

import contextlib
import os
import re
import struct
from pathlib import Path

from scalpels_exporter.bpf import calls

_PROGRAM_BY_ID = 13  # a command of bpf()
_NAME_AT, _NAME_BYTES, _VERIFIED_AT, _INFO_BYTES = 64, 16, 216, 224  # in bpf_prog_info


def verified(pid: int) -> dict[str, int]:
    """Name, as far as the kernel keeps it (15 letters) → instructions that the verifier went through."""
    found = {}
    for file in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed in this moment
            identity = re.search(r"^prog_id:\s*(\d+)$", file.read_text(), re.M)
            if identity:
                name, count = _of_program(int(identity[1]))
                found[name] = count
    return found


def _of_program(identity: int) -> tuple[str, int]:
    descriptor = calls.bpf(_PROGRAM_BY_ID, struct.pack("=III", identity, 0, 0))
    try:
        info = calls.object_info(descriptor, _INFO_BYTES)
    finally:
        os.close(descriptor)
    name = info[_NAME_AT : _NAME_AT + _NAME_BYTES].partition(b"\0")[0].decode()
    return name, struct.unpack_from("=I", info, _VERIFIED_AT)[0]
