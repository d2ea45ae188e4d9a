"""Maps, programs and their statistics in the running kernel."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

import pytest

from scalpels_exporter.bpf import calls, compiler, costs, headers, maps
from scalpels_exporter.bpf.decoders import Sources
from scalpels_exporter.bpf.definitions import definitions, flags
from scalpels_exporter.bpf.slots import SECONDS, slot_of
from scalpels_exporter.bpf.tables import Misfit, Reader
from scalpels_exporter.declare import (
    Bpf,
    Count,
    Counter,
    Counts,
    Distribution,
    Exponential,
    Field,
    Histogram,
    Sample,
    Table,
    Tracepoint,
    Tracer,
)

pytestmark = pytest.mark.root
U32, U64 = struct.Struct("=I"), struct.Struct("=Q")
BUCKETS = Exponential(-20, 4)
METRICS = (
    Histogram("scalpels_try_seconds", "X.", ("program",), unit="seconds", buckets=BUCKETS),
    Counter("scalpels_try_bytes_total", "X.", ("program",), unit="bytes"),
)
TABLE = Table(
    "latency",
    (Field("program", "I", "program"), Field("", "I")),
    (Distribution("scalpels_try_seconds"), Count("scalpels_try_bytes_total")),
)
TRACER = Tracer("try", "X.", METRICS, Bpf((Tracepoint("sched", "sched_switch", "f"),), (TABLE,)))


@pytest.fixture
def made() -> Iterator[list[int]]:
    descriptors: list[int] = []
    yield descriptors
    for descriptor in descriptors:
        os.close(descriptor)


def create(made: list[int], kind: int, key: int = 4, value: int = 8, entries: int = 4096) -> maps.Map:
    found = maps.create(kind, key, value, entries, "try")
    made.append(found.descriptor)
    return maps.Map.of(found.descriptor)


@pytest.mark.parametrize("kind", [maps.HASH, maps.LRU_HASH])
def test_every_entry_is_read_in_batches_and_one_by_one(made: list[int], kind: int) -> None:
    there = create(made, kind)
    for n in range(1500):
        there.put(U32.pack(n), U64.pack(n * n))
    expected = {U32.pack(n): U64.pack(n * n) for n in range(1500)}
    assert dict(there.items()) == expected
    assert dict(there._one_by_one()) == expected
    assert dict(there.heads(3)) == {key: value[:3] for key, value in expected.items()}
    there.remove(U32.pack(7))
    there.remove(U32.pack(7))
    assert there.get(U32.pack(7)) is None
    assert len(there.items()) == 1499


def test_a_full_map_says_so(made: list[int]) -> None:
    there = create(made, maps.HASH, entries=2)
    there.put(U32.pack(1), bytes(8))
    there.put(U32.pack(2), bytes(8))
    with pytest.raises(OSError, match="Argument list too long"):
        there.put(U32.pack(3), bytes(8))


def test_a_per_cpu_value_is_the_sum_of_all_cpus() -> None:
    there = maps.Map(-1, "x", maps.PERCPU_HASH, 4, 20, 1, cpus=3)
    raw = b"".join(struct.pack("=QQI4x", n, 2**40 + n, 5) for n in range(3))
    assert there._summed(raw) == struct.pack("=QQI", 3, 3 * 2**40 + 3, 15)


def test_entries_become_histograms_and_counters_and_what_is_left_out_of_the_labels_is_added_up(made: list[int]) -> None:
    slots = 4 * (BUCKETS.highest - BUCKETS.lowest) + 2
    there = create(made, maps.HASH, key=8, value=8 * (slots + 2), entries=64)
    for part, nanoseconds in ((0, 1_000_000_000), (1, 500_000_000)):
        counts = [0] * slots
        counts[slot_of(nanoseconds, SECONDS, BUCKETS)] = 2
        there.put(struct.pack("=II", 1, part), struct.pack(f"={slots + 2}Q", 2 * nanoseconds, *counts, 100))
    reader = Reader(TABLE, TRACER, {"latency": there}, Sources(lambda number: f"p{number}"))
    found: dict[str, Sample] = {sample[0]: sample for sample in reader.read()}
    _, labels, value = found["scalpels_try_seconds"]
    assert labels == ("p1",)
    assert isinstance(value, Counts)
    assert (value.sum, value.first, sum(value.counts)) == (3.0, -80, 4)
    assert (value.counts[80], value.counts[76]) == (2, 2)  # 1 s and 0.5 s are the last of their sub-buckets
    assert found["scalpels_try_bytes_total"][2] == 200
    assert reader.fill == 2 / 64


def test_a_map_of_another_layout_is_refused_in_words(made: list[int]) -> None:
    there = create(made, maps.HASH, key=8, value=16, entries=64)
    with pytest.raises(Misfit, match="map latency: value: the declaration has 800 bytes, the source 16"):
        Reader(TABLE, TRACER, {"latency": there}, Sources(str))
    with pytest.raises(Misfit, match="the source has no map latency"):
        Reader(TABLE, TRACER, {}, Sources(str))


SLOTS = """
int slot(struct bpf_raw_tracepoint_args *ctx)
{
    return slot_of_ns(ctx->args[0], LATENCY_FIRST, LATENCY_SLOTS);
}
"""


def test_the_kernel_and_its_twin_agree_on_every_sub_bucket(bcc: None) -> None:
    found = headers.find()
    assert found is not None
    assert isinstance(TRACER.runs, Bpf)
    told = flags(definitions(TRACER, TRACER.runs, {}))
    program = compiler.Compiled(SLOTS, "slots.c", found, told).load("slot", compiler.RAW_TRACEPOINT)
    values = {0, 1, 2**64 - 1}
    for index in range(-80, 17):
        bound = int(2 ** (index / 4) * 1e9)
        values |= {bound - 1, bound, bound + 1}
    for value in sorted(values):
        assert calls.run_here(program, context=U64.pack(value)) == slot_of(value, SECONDS, BUCKETS), value


def test_the_statistics_own_clock_is_a_few_dozen_nanoseconds_and_is_taken_off() -> None:
    statistics = calls.enable_stats()
    try:
        assert 1 < costs.calibrate() < 2000
    finally:
        os.close(statistics)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("int f(void *ctx) { return nothing; }", r"mine\.c:1:\d+: error: use of undeclared identifier 'nothing'"),
        ("#error out of ideas", r"mine\.c:1:\d+: error: out of ideas"),
        ("int f(u64 *ctx) { return *(u64 *)0xdead; }", "f: .*invalid mem access"),
    ],
)
def test_the_first_complaint_of_compiler_or_verifier_is_one_line(bcc: None, source: str, complaint: str) -> None:
    found = headers.find()
    assert found is not None
    assert isinstance(TRACER.runs, Bpf)
    told = flags(definitions(TRACER, TRACER.runs, {}))
    with pytest.raises(compiler.Rejected, match=complaint) as caught:
        compiler.Compiled(source, "mine.c", found, told).load("f", compiler.TRACEPOINT)
    assert "\n" not in str(caught.value)
