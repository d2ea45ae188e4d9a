"""When the kernel counts what programs cost: one second in ten, since counting makes every run on the machine dearer.

The spawner's side, which keeps the privilege that counting takes. For how long counting was on stands in a map that all
workers get, so that each can tell which share of its programs' time it has seen; `costs` makes estimates of it.
"""

from __future__ import annotations

import os
import random
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path

from scalpels_exporter.bpf import calls
from scalpels_exporter.bpf.maps import Map

WINDOW_SECONDS, PERIOD_SECONDS = 1.0, 10.0
ALWAYS = Path("/proc/sys/kernel/bpf_stats_enabled")  # somebody pays for it anyway
VALUE = struct.Struct("=QQ")  # nanoseconds in windows that are over; monotonic begin of the one that is open, or 0


@dataclass(slots=True)
class Accounting:
    """Opens and closes windows. `beat` is to be called when the seconds are over that it gave back the last time."""

    map: Map
    _held: int | None = None  # counting is on while this descriptor is open
    _since: int = 0
    _counted: int = 0  # nanoseconds
    _due: float = 0.0
    _moments: random.Random = field(default_factory=random.Random)

    def beat(self, wanted: bool) -> float | None:
        """`wanted`: whether a worker lives that has programs. None: nothing to do until that changes."""
        if not wanted:
            self._close()
            self._due = 0.0  # the first window opens at once
            return None
        now = time.monotonic()
        if now >= self._due:
            if self._held is None:
                length = self._open()
            elif _always():
                length = PERIOD_SECONDS
            else:
                self._close()
                # Not in step with what happens every ten seconds.
                length = self._moments.uniform(0.5, 1.5) * (PERIOD_SECONDS - WINDOW_SECONDS)
            self._due = now + length
        return self._due - now

    def _open(self) -> float:
        try:
            self._held = calls.enable_stats()
        except OSError:
            return PERIOD_SECONDS  # the loader, which lacks the same privilege, tells the user
        os.set_inheritable(self._held, False)
        self._since = time.monotonic_ns()
        self._tell()
        return WINDOW_SECONDS

    def _close(self) -> None:
        if self._held is None:
            return
        self._counted += time.monotonic_ns() - self._since
        self._since = 0
        os.close(self._held)
        self._held = None
        self._tell()

    def _tell(self) -> None:
        self.map.put(bytes(4), VALUE.pack(self._counted, self._since))


def counted_until(now: int, map: Map) -> int:
    """Nanoseconds for which counting has been on until `now`, in the monotonic clock's nanoseconds."""
    while True:  # until no change came in between: the map's value is not written in one piece
        raw = map.get(bytes(4))
        if raw == map.get(bytes(4)):
            break
    over, since = VALUE.unpack(raw or bytes(VALUE.size))
    return int(over) + (max(0, now - since) if since else 0)


def _always() -> bool:
    try:
        return ALWAYS.read_text().strip() == "1"
    except OSError:
        return False
