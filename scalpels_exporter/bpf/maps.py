"""A BPF map by its descriptor: made, read in batches, changed. Bytes in, bytes out: `tables` gives them a meaning."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scalpels_exporter.bpf import calls

HASH, ARRAY, PERCPU_HASH, PERCPU_ARRAY, LRU_HASH, LRU_PERCPU_HASH = 1, 2, 5, 6, 9, 10
_PER_CPU = frozenset({PERCPU_HASH, PERCPU_ARRAY, LRU_PERCPU_HASH})
_INFO_BYTES = 88
_BATCH = 256
_ANY = 0


def possible_cpus(sys: str = "/sys") -> int:
    """How many copies a per-CPU value has: CPUs that could ever be there, not those that are."""
    last = Path(sys, "devices/system/cpu/possible").read_text().strip().split(",")[-1]
    return int(last.split("-")[-1]) + 1


@dataclass(slots=True)
class Map:
    """Sizes in bytes as the kernel has them. Keys and values are bytes; a per-CPU value is the sum over all CPUs,
    taken as if it were made of u64 alone."""

    descriptor: int
    name: str
    kind: int
    key_bytes: int
    value_bytes: int
    entries: int
    cpus: int = 1

    @classmethod
    def of(cls, descriptor: int, name: str = "") -> Map:
        info = calls.object_info(descriptor, _INFO_BYTES)
        kind, _, key_bytes, value_bytes, entries = struct.unpack_from("=5I", info)
        name = name or info[24:40].rstrip(b"\0").decode(errors="replace")
        return cls(descriptor, name, kind, key_bytes, value_bytes, entries, possible_cpus() if kind in _PER_CPU else 1)

    @property
    def is_array(self) -> bool:
        return self.kind in (ARRAY, PERCPU_ARRAY)

    @property
    def _stride(self) -> int:
        return (self.value_bytes + 7 & ~7) * self.cpus if self.kind in _PER_CPU else self.value_bytes

    def items(self) -> list[tuple[bytes, bytes]]:
        """Every entry. Entries that come or go meanwhile may be there or not."""
        return list(self.heads(self.value_bytes))

    def heads(self, size: int) -> Iterator[tuple[bytes, bytes]]:
        """The same with the first `size` bytes of each value, without holding all of them at once."""
        try:
            yield from self._batches(size)
            return
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, 524):  # 524: ENOTSUPP, which has no name outside
                raise
        yield from ((key, value[:size]) for key, value in self._one_by_one())

    def _batches(self, size: int) -> Iterator[tuple[bytes, bytes]]:
        most = min(_BATCH, self.entries)
        begin, count = None, most
        token = ctypes.create_string_buffer(max(8, self.key_bytes))
        while True:
            keys = ctypes.create_string_buffer(most * self.key_bytes)
            values = ctypes.create_string_buffer(most * self._stride)
            where = [ctypes.addressof(x) for x in (token, keys, values)]
            after = where[0] if begin else 0
            attributes = bytearray(struct.pack("=4QIIQQ", after, *where, most, self.descriptor, 0, 0))
            last = False
            try:
                calls.bpf(calls.MAP_LOOKUP_BATCH, attributes)
            except OSError as error:
                if error.errno == errno.ENOSPC:  # a bucket with more entries than there is room for
                    most *= 2
                    continue
                if error.errno != errno.ENOENT:
                    raise
                last = True  # and the entries that were left are there
            (count,) = struct.unpack_from("=I", attributes, 32)
            keys_read, values_read = keys.raw, values.raw
            for n in range(count):
                key = keys_read[n * self.key_bytes : (n + 1) * self.key_bytes]
                yield key, self._summed(values_read[n * self._stride : (n + 1) * self._stride], size)
            if last:
                return
            begin = token

    def _one_by_one(self) -> Iterator[tuple[bytes, bytes]]:
        key: bytes | None = None
        for _ in range(self.entries):
            key = self._next(key)
            if key is None:
                return
            value = self.get(key)
            if value is not None:
                yield key, value

    def _next(self, key: bytes | None) -> bytes | None:
        after = ctypes.create_string_buffer(self.key_bytes)
        before = ctypes.create_string_buffer(key, self.key_bytes) if key is not None else None
        address = ctypes.addressof(before) if before is not None else 0
        try:
            calls.bpf(
                calls.MAP_NEXT_KEY, struct.pack("=I4xQQQ", self.descriptor, address, ctypes.addressof(after), _ANY)
            )
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            raise
        return after.raw

    def get(self, key: bytes) -> bytes | None:
        value = ctypes.create_string_buffer(self._stride)
        try:
            self._element(calls.MAP_LOOKUP, key, value)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            raise
        return self._summed(value.raw)

    def put(self, key: bytes, value: bytes) -> None:
        """OSError E2BIG when the map is full. Not for per-CPU maps."""
        self._element(calls.MAP_UPDATE, key, ctypes.create_string_buffer(value, self.value_bytes))

    def remove(self, key: bytes) -> None:
        """Does nothing where the key is not there."""
        try:
            self._element(calls.MAP_DELETE, key, None)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise

    def _element(self, command: int, key: bytes, value: ctypes.Array[ctypes.c_char] | None) -> None:
        held = ctypes.create_string_buffer(key, self.key_bytes)
        address = ctypes.addressof(value) if value is not None else 0
        calls.bpf(command, struct.pack("=I4xQQQ", self.descriptor, ctypes.addressof(held), address, _ANY))

    def _summed(self, value: bytes, size: int | None = None) -> bytes:
        """The first `size` bytes of it, all when not said.

        Added as whole numbers of the value's full width: one addition a CPU, however many u64 there are.

        No u64 can run over into the next: they count events or nanoseconds.
        """
        if self.kind not in _PER_CPU:
            return value[:size]
        width = len(value) // self.cpus
        total = sum(int.from_bytes(value[n * width : (n + 1) * width], "little") for n in range(self.cpus))
        return total.to_bytes(width, "little")[: self.value_bytes if size is None else size]


def create(kind: int, key_bytes: int, value_bytes: int, entries: int, name: str) -> Map:
    """A new map; its descriptor is closed on exec. Needs CAP_BPF."""
    title = name.encode()[:15].ljust(16, b"\0")
    attributes = struct.pack("=7I16s", kind, key_bytes, value_bytes, entries, 0, 0, 0, title)
    descriptor = calls.bpf(calls.MAP_CREATE, attributes)
    os.set_inheritable(descriptor, False)
    return Map(descriptor, name, kind, key_bytes, value_bytes, entries)
