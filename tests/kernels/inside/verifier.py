"""What the verifier had to do for each of the kernel programs that a process holds. Read only."""

from __future__ import annotations

import struct

from held_programs import held_programs

from scalpels_exporter.bpf import calls

_NAME_AT, _NAME_BYTES, _VERIFIED_AT, _INFO_BYTES = 64, 16, 216, 224  # in bpf_prog_info


def verified(pid: int) -> dict[str, int]:
    """Name, as far as the kernel keeps it (15 letters) → instructions that the verifier went through."""
    with held_programs(pid) as programs:
        return dict(map(_of_program, programs))


def _of_program(descriptor: int) -> tuple[str, int]:
    info = calls.object_info(descriptor, _INFO_BYTES)
    name = info[_NAME_AT : _NAME_AT + _NAME_BYTES].partition(b"\0")[0].decode()
    return name, struct.unpack_from("=I", info, _VERIFIED_AT)[0]
