"""What kernel programs cost: the kernel's own count of their runs and time, less what keeping that count takes.

It counts a part of the time only (`accounting`), so the figures are estimates: what was counted, times the time between
two readings over the part of it in which counting was on.
"""

from __future__ import annotations

import ctypes
import os
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from scalpels_exporter.bpf import calls
from scalpels_exporter.bpf.accounting import counted_until
from scalpels_exporter.bpf.maps import Map

_INFO_BYTES = 208
_RUN_TIME_AT = 192  # of run_time_ns and run_cnt in bpf_prog_info
_SOCKET_FILTER = 1
_EMPTY = bytes.fromhex("b7000000000000009500000000000000")  # r0 = 0; exit
_ROUNDS, _RUNS = 7, 4000
_LEAST_NS = 100_000_000  # of counting between two readings: less tells too little


@dataclass(slots=True)
class Meter:
    """The programs of one worker. `clock_ns` a run is the statistics' own and is taken off."""

    programs: tuple[int, ...]
    clock_ns: float
    counting: Map  # of `accounting`
    seconds: float = 0.0
    runs: float = 0.0
    _at: int = field(default_factory=time.monotonic_ns)
    _counted: int = -1
    _before: tuple[float, int] = (0.0, 0)

    def read(self) -> tuple[float, int]:
        """Estimated seconds and runs of all programs together since the first call. Neither ever falls."""
        now = time.monotonic_ns()
        counted, (seconds, runs) = counted_until(now, self.counting), run_time(self.programs, self.clock_ns)
        if self._counted >= 0:
            if counted - self._counted < _LEAST_NS:
                return self.seconds, int(self.runs)
            scale = (now - self._at) / (counted - self._counted)
            self.seconds += max(0.0, seconds - self._before[0]) * scale
            self.runs += (runs - self._before[1]) * scale
        self._at, self._counted, self._before = now, counted, (seconds, runs)
        return self.seconds, int(self.runs)


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
