"""Counting what kernel programs cost, a part of the time: windows, and estimates from what was seen in them."""

from __future__ import annotations

import ctypes
import os
import struct
import time
from collections.abc import Callable, Iterator

import pytest

from scalpels_exporter.bpf import accounting, calls, maps
from scalpels_exporter.bpf.accounting import Accounting, counted_until
from scalpels_exporter.bpf.costs import Meter

pytestmark = pytest.mark.root
SECOND = 1_000_000_000


@pytest.fixture
def shared() -> Iterator[maps.Map]:
    made = maps.create(maps.ARRAY, 4, accounting.VALUE.size, 1, "counting")
    yield made
    os.close(made.descriptor)


@pytest.fixture
def program() -> Iterator[int]:
    """Does nothing. A socket filter, which can be run as often as one likes."""
    code = ctypes.create_string_buffer(bytes.fromhex("b7000000000000009500000000000000"))
    license = ctypes.create_string_buffer(b"GPL")
    where = (ctypes.addressof(code), ctypes.addressof(license))
    made = calls.bpf(calls.PROG_LOAD, struct.pack("=IIQQIIQII16s", 1, 2, *where, 0, 0, 0, 0, 0, b"nothing"))
    yield made
    os.close(made)


def run(program: int, times: int) -> None:
    calls.run_here(program, data=bytes(64), repeat=times)


def test_counting_is_on_in_windows_only_and_the_map_tells_for_how_long(
    shared: maps.Map, until: Callable[..., object]
) -> None:
    one = Accounting(shared)
    begun = time.monotonic_ns()
    assert one.beat(wanted=False) is None
    assert counted_until(time.monotonic_ns(), shared) == 0
    wait = one.beat(wanted=True)
    assert wait is not None
    assert 0 < wait <= accounting.WINDOW_SECONDS
    until(lambda: counted_until(time.monotonic_ns(), shared) > SECOND // 10, 5)
    ended = time.monotonic() + wait
    until(lambda: time.monotonic() > ended, 5)
    wait = one.beat(wanted=True)
    assert wait is not None
    assert wait > accounting.WINDOW_SECONDS
    counted = counted_until(time.monotonic_ns(), shared)
    assert SECOND <= counted <= time.monotonic_ns() - begun
    assert counted_until(time.monotonic_ns(), shared) == counted  # it stands still


def test_a_window_ends_when_no_worker_wants_it_any_more(shared: maps.Map) -> None:
    one = Accounting(shared)
    one.beat(wanted=True)
    assert one.beat(wanted=False) is None
    counted = counted_until(time.monotonic_ns(), shared)
    assert 0 < counted < SECOND
    assert counted_until(time.monotonic_ns(), shared) == counted


def test_what_was_counted_is_scaled_by_the_share_of_time_in_which_counting_was_on(
    shared: maps.Map, program: int, until: Callable[..., object]
) -> None:
    meter = Meter((program,), 0.0, shared)
    assert meter.read() == (0.0, 0)
    begun = time.monotonic_ns()
    counting = calls.enable_stats()
    run(program, 5000)
    os.close(counting)
    until(lambda: time.monotonic_ns() - begun > SECOND // 2, 5)
    # As if counting had been on for a fifth of a second.
    shared.put(bytes(4), accounting.VALUE.pack(SECOND // 5, 0))
    before = time.monotonic_ns()
    seconds, runs = meter.read()
    after = time.monotonic_ns()
    # Under way were the moments before `begun` too, which are few. What is told are whole runs.
    assert 5000 * (before - begun) // (SECOND // 5) <= runs <= 5000 * (after - begun + SECOND / 50) / (SECOND / 5)
    assert 0 < seconds < 1
    assert meter.read() == (seconds, runs)  # nothing has been counted since


def test_too_little_counting_tells_nothing_yet(shared: maps.Map, program: int) -> None:
    meter = Meter((program,), 0.0, shared)
    meter.read()
    shared.put(bytes(4), accounting.VALUE.pack(SECOND // 1000, 0))
    assert meter.read() == (0.0, 0)
