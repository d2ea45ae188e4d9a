"""The bytes of the kernel maps that a process holds, each CPU's as they are. Read only."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import struct
from pathlib import Path

from scalpels_exporter.bpf import calls
from scalpels_exporter.bpf.maps import Map

_MAP_BY_ID = 14  # a command of bpf()


def raw_maps(pid: int, prefix: str) -> dict[str, bytes]:
    """Name → every key and value, of the maps whose names begin so."""
    found: dict[str, bytes] = {}
    for file in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed in this moment
            identity = re.search(r"^map_id:\s*(\d+)$", file.read_text(), re.M)
            if identity is None:
                continue
            descriptor = calls.bpf(_MAP_BY_ID, struct.pack("=III", int(identity[1]), 0, 0))
            try:
                one = Map.of(descriptor)
                if one.name.startswith(prefix):
                    found[one.name] = _bytes_of(one)
            finally:
                os.close(descriptor)
    return found


def _bytes_of(one: Map) -> bytes:
    width = (one.value_bytes + 7 & ~7) * one.cpus
    parts = []
    for key, _ in one.items():
        held, value = ctypes.create_string_buffer(key, one.key_bytes), ctypes.create_string_buffer(width)
        where = (ctypes.addressof(held), ctypes.addressof(value))
        with contextlib.suppress(OSError):  # gone in this moment
            calls.bpf(calls.MAP_LOOKUP, struct.pack("=I4xQQQ", one.descriptor, *where, 0))
            parts += [key, value.raw]
    return b"".join(parts)
