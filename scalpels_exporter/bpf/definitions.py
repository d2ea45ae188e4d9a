"""What the compiler is told of a declaration: -D for sizes, sub-buckets, reasons, parameters and offsets. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scalpels_exporter.bpf import slots
from scalpels_exporter.bpf.btf import Btf
from scalpels_exporter.declare import Bpf, Distribution, Exponential, Histogram, Parser, Table, Tracer

FULL = "full"  # the reason that every tracer has: a map had no place
MOST_PROCESSES = 32768


class Missing(Exception):
    """An offset that the tracer cannot do without is not known. The text says which."""


def reasons(runs: Bpf | Parser) -> tuple[str, ...]:
    """Of lost events, in the order of their places in the map `lost`."""
    return (FULL, *runs.lost)


def definitions(tracer: Tracer, runs: Bpf, parameters: Mapping[str, Any]) -> dict[str, int]:
    """All but the offsets."""
    return general() | of_reasons(reasons(runs)) | of_tables(tracer, runs.tables) | of_parameters(parameters)


def general() -> dict[str, int]:
    """What every source is told."""
    found = {"PROGRAMS_ENTRIES": MOST_PROCESSES}
    for name, scale in (("SECONDS", slots.SECONDS), ("PLAIN", slots.PLAIN)):
        found[f"{name}_LIFT"] = scale.lift
        found |= {f"{name}_{letter}": limit for letter, limit in zip("ABCD", scale.limits, strict=True)}
    return found


def of_reasons(names: Sequence[str]) -> dict[str, int]:
    return {"LOST_REASONS": len(names)} | {f"LOST_{reason.upper()}": place for place, reason in enumerate(names)}


def of_tables(tracer: Tracer, tables: Iterable[Table]) -> dict[str, int]:
    found: dict[str, int] = {}
    for table in tables:
        found |= _of_table(table, tracer)
    return found


def of_parameters(parameters: Mapping[str, Any], prefix: str = "") -> dict[str, int]:
    """Numbers and switches; others have no place in C."""
    numbers = {name: int(value) for name, value in parameters.items() if isinstance(value, int)}
    return {f"PARAMETER_{prefix}{name.upper()}": value for name, value in numbers.items()}


def _of_table(table: Table, tracer: Tracer) -> dict[str, int]:
    name = table.map.upper()
    found = {f"{name}_ENTRIES": max(_metric(tracer, value.metric).series for value in table.values)}
    for value in table.values:
        if isinstance(value, Distribution):
            buckets = buckets_of(tracer, value)
            found[f"{name}_FIRST"] = 4 * buckets.lowest
            found[f"{name}_SLOTS"] = slots.slots(buckets)
    return found


def buckets_of(tracer: Tracer, value: Distribution) -> Exponential:
    """`soundness` has seen to it that it is an exponential histogram."""
    metric = _metric(tracer, value.metric)
    assert isinstance(metric, Histogram)
    assert isinstance(metric.buckets, Exponential)
    return metric.buckets


def _metric(tracer: Tracer, name: str) -> Any:
    metric = tracer.metric(name)
    assert metric is not None, name
    return metric


def offsets(runs: Bpf | Parser, btf: Btf | None, why_none: str = "the kernel's BTF is not used") -> dict[str, int]:
    """Those that are known. Raises Missing."""
    found: dict[str, int] = {}
    for wanted in runs.offsets:
        where = btf.offset(wanted.struct, wanted.member) if btf else None
        if where is not None:
            found[wanted.define] = where
        elif wanted.required:
            why = f"this kernel has no {wanted.struct}.{wanted.member}" if btf else why_none
            raise Missing(f"{wanted.define} is not known: {why}")
    return found


def flags(found: Mapping[str, int]) -> list[str]:
    """As the compiler takes them; a number above a signed 64-bit one says so."""
    return [f"-D{name}={value}{'ULL' if value >= 1 << 31 else ''}" for name, value in found.items()]
