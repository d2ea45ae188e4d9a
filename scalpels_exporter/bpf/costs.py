"""What kernel programs cost: the kernel's own count of their runs and time, less what keeping that count takes."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

from scalpels_exporter.bpf import calls

_INFO_BYTES = 208
_RUN_TIME_AT = 192  # of run_time_ns and run_cnt in bpf_prog_info
_SOCKET_FILTER = 1
_EMPTY = bytes.fromhex("b7000000000000009500000000000000")  # r0 = 0; exit
_ROUNDS, _RUNS = 7, 4000


def run_time(programs: Iterable[int], clock_ns: float) -> tuple[float, int]:
    """Seconds and runs of all together. `clock_ns` a run is the statistics' own and is taken off."""
    seconds, runs = 0.0, 0
    for program in programs:
        nanoseconds, times = _counted(program)
        seconds += max(0.0, nanoseconds - times * clock_ns) / 1e9
        runs += times
    return seconds, runs


def _counted(program: int) -> tuple[int, int]:
    info = calls.object_info(program, _INFO_BYTES)
    nanoseconds, times = struct.unpack_from("=QQ", info, _RUN_TIME_AT)
    return nanoseconds, times


def calibrate() -> float:
    """Nanoseconds that an empty program seems to run: the least of some rounds. The statistics must be on."""
    code, license = ctypes.create_string_buffer(_EMPTY), ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack(
        "=IIQQIIQII16s", _SOCKET_FILTER, len(_EMPTY) // 8, ctypes.addressof(code), ctypes.addressof(license), 0, 0, 0,
        0, 0, b"empty",
    )  # fmt: skip
    program = calls.bpf(calls.PROG_LOAD, attributes)
    try:
        least = float("inf")
        for _ in range(_ROUNDS):
            before = _counted(program)
            calls.run_here(program, data=bytes(64), repeat=_RUNS)
            after = _counted(program)
            if after[1] > before[1]:
                least = min(least, (after[0] - before[0]) / (after[1] - before[1]))
        return least if least < float("inf") else 0.0
    finally:
        os.close(program)
