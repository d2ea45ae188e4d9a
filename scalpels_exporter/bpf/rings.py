"""Reads a BPF ring buffer: the kernel's records, one by one, as bytes. Waiting is `poll` on `descriptor`."""

from __future__ import annotations

import mmap
import struct

_BUSY, _DISCARD = 1 << 31, 1 << 30
_HEADER = 8
_PAGE = mmap.PAGESIZE


class Ring:
    """The one consumer of a map of type ringbuf with `size` bytes."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.descriptor = descriptor
        self._mask = size - 1
        self._consumer = mmap.mmap(descriptor, _PAGE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        # The records are mapped twice in a row, so that one that runs over the end reads on.
        self._data = mmap.mmap(descriptor, _PAGE + 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=_PAGE)

    def take(self) -> list[bytes]:
        """What has come since the last call, oldest first."""
        found: list[bytes] = []
        (position,) = struct.unpack_from("=Q", self._consumer)
        while True:
            (produced,) = struct.unpack_from("=Q", self._data)
            if position >= produced:
                break
            at = _PAGE + (position & self._mask)
            (length,) = struct.unpack_from("=I", self._data, at)
            if length & _BUSY:
                break  # it is being written; it comes with the next call
            size = length & ~(_BUSY | _DISCARD)
            if not length & _DISCARD:
                found.append(self._data[at + _HEADER : at + _HEADER + size])
            position += (size + _HEADER + 7) & ~7
            struct.pack_into("=Q", self._consumer, 0, position)
        return found
