"""A map's entries → samples, as the declaration binds them. Reads maps, and names nothing itself: `decoders` do."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from operator import add
from typing import Any

from scalpels_exporter.bpf import slots
from scalpels_exporter.bpf.decoders import Decoder, Sources, decoder
from scalpels_exporter.bpf.definitions import buckets_of
from scalpels_exporter.bpf.maps import Map
from scalpels_exporter.declare import Counts, Distribution, Field, Metric, Sample, Table, Tracer

Summed = dict[tuple[str, ...], Any]


class Misfit(Exception):
    """The source's map has not the layout that the declaration says."""


class Reader:
    """One table. Raises Misfit when it is made."""

    def __init__(self, table: Table, tracer: Tracer, held: Mapping[str, Map], sources: Sources) -> None:
        found = held.get(table.map)
        if found is None:
            raise Misfit(f"the source has no map {table.map}")
        self.name = table.map
        self._map = found
        self._key = struct.Struct("@" + "".join(one.format for one in table.key))
        self._decoders = [decoder(one, sources) for one in table.key]
        self._decoded: dict[bytes, dict[str, str]] = {}
        self._fields = table.key
        self._values = list(_places(table, tracer))
        _compare(f"map {table.map}: key", key_bytes(table.key), found.key_bytes)
        width = self._values[-1].end * 8
        _compare(f"map {table.map}: value", width, found.value_bytes)
        self._numbers = struct.Struct(f"={width // 8}Q")

    def read(self) -> list[Sample]:
        summed: list[Summed] = [{} for _ in self._values]
        for key, raw in self._map.items():
            if not any(raw):
                continue  # a place of an array that was never used
            numbers = self._numbers.unpack(raw)
            labels = self._labels(key)
            for value, into in zip(self._values, summed, strict=True):
                value.take(numbers, tuple(labels[name] for name in value.metric.labels), into)
        return [
            (value.metric.name, labels, value.finished(number))
            for value, family in zip(self._values, summed, strict=True)
            for labels, number in family.items()
        ]

    @property
    def fill(self) -> float:
        """The share of the map's entries that is used."""
        return 0.0 if self._map.is_array else len(self._decoded) / self._map.entries

    def _labels(self, key: bytes) -> dict[str, str]:
        known = self._decoded.get(key)
        if known is None:
            members = self._key.unpack_from(key)
            known = {
                one.label: _text(decode, member)
                for one, decode, member in zip(self._fields, self._decoders, members, strict=True)
                if one.label
            }
            if len(self._decoded) < self._map.entries:
                self._decoded[key] = known
        return known


def _text(decode: Decoder, member: Any) -> str:
    return decode(member) or "other"


class _Value:
    """One member of a map's value: where it begins and ends among the value's u64."""

    def __init__(self, metric: Metric, begin: int, end: int, scale: float) -> None:
        self.metric = metric
        self.begin, self.end = begin, end
        self._scale = scale

    def take(self, numbers: Sequence[int], labels: tuple[str, ...], into: Summed) -> None:
        into[labels] = into.get(labels, 0) + numbers[self.begin]

    def finished(self, number: Any) -> Any:
        return number if self._scale == 1 else number * self._scale


class _Histogram(_Value):
    first = 0

    def take(self, numbers: Sequence[int], labels: tuple[str, ...], into: Summed) -> None:
        mine = numbers[self.begin : self.end]
        there = into.get(labels)
        into[labels] = mine if there is None else tuple(map(add, there, mine))

    def finished(self, number: Any) -> Any:
        return Counts(number[0] * self._scale, number[1:], self.first)


def _places(table: Table, tracer: Tracer) -> Iterator[_Value]:
    at = 0
    for value in table.values:
        metric = tracer.metric(value.metric)
        assert metric is not None
        if isinstance(value, Distribution):
            buckets = buckets_of(tracer, value)
            end = at + 1 + slots.slots(buckets)
            place: _Value = _Histogram(metric, at, end, 1e-9 if metric.unit == "seconds" else 1)
            place.first = 4 * buckets.lowest  # type: ignore[attr-defined]
        else:
            end = at + 1
            place = _Value(metric, at, end, value.scale)
        yield place
        at = end


def key_bytes(fields: Sequence[Field]) -> int:
    """As C lays the members out: each at its own alignment, the whole filled up to the greatest."""
    size = struct.calcsize("@" + "".join(one.format for one in fields))
    alignment = max((_alignment(one.format) for one in fields), default=1)
    return -(-size // alignment) * alignment


def _alignment(form: str) -> int:
    return struct.calcsize(f"@b{form}") - struct.calcsize(f"@{form}")


def _compare(what: str, declared: int, there: int) -> None:
    if declared != there:
        raise Misfit(f"{what}: the declaration has {declared} bytes, the source {there}")
