"""Where the functions of an ELF file begin: file offsets by symbol, as uprobes want them. Reads its symbol tables.

64-bit little-endian files alone, which is what runs on the machines that kernel programs are loaded on. A file that was
stripped of a symbol does not have it, whatever it does.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator

MOST_BYTES = 256 << 20  # of a table; a larger one is no table
_MAGIC = b"\x7fELF\x02\x01"
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_SYMBOL_TABLES = (2, 11)  # SHT_SYMTAB, SHT_DYNSYM
_LOAD, _EXECUTABLE = 1, 1
_FUNCTIONS = (2, 10)  # STT_FUNC, STT_GNU_IFUNC
_UNDEFINED = 0


class Broken(Exception):
    """The file is none that can be read; the text says why."""


def functions(file: int, names: Iterable[str]) -> dict[str, int]:
    """Name → offset in the file, of those functions that the file defines itself. Raises Broken and OSError."""
    header = _HEADER.unpack(_read(file, 0, _HEADER.size))
    if not header[0].startswith(_MAGIC):
        raise Broken("no 64-bit ELF file")
    segments = _table(file, header[5], header[9], header[10], _SEGMENT)
    sections = _table(file, header[6], header[11], header[12], _SECTION)
    loaded = [one for one in segments if one[0] == _LOAD and one[1] & _EXECUTABLE]
    found: dict[str, int] = {}
    for section in sections:
        if section[1] in _SYMBOL_TABLES and section[6] < len(sections):
            symbols = _read(file, section[4], section[5])
            texts = _read(file, sections[section[6]][4], sections[section[6]][5])
            for name in names:
                for address in _addresses(symbols, texts, name):
                    for place in _places(loaded, address):
                        found.setdefault(name, place)
    return found


def _addresses(symbols: bytes, texts: bytes, name: str) -> Iterator[int]:
    """Of the functions of this name. A text may be the end of a longer one, so every place is looked for."""
    wanted = name.encode() + b"\0"
    place = texts.find(wanted)
    while place >= 0:
        number = place.to_bytes(4, "little")
        at = symbols.find(number)
        while at >= 0:
            if at % _SYMBOL.size == 0 and at + _SYMBOL.size <= len(symbols):
                _, kind, _, section, address, _ = _SYMBOL.unpack_from(symbols, at)
                if kind & 0xF in _FUNCTIONS and section != _UNDEFINED:
                    yield address
            at = symbols.find(number, at + 1)
        place = texts.find(wanted, place + 1)


def _places(loaded: Iterable[tuple[int, ...]], address: int) -> Iterator[int]:
    for _, _, offset, begin, _, bytes_in_file, _, _ in loaded:
        if begin <= address < begin + bytes_in_file:
            yield address - begin + offset


def _table(file: int, at: int, size: int, count: int, form: struct.Struct) -> list[tuple[int, ...]]:
    if count and size != form.size:
        raise Broken(f"entries of {size} bytes, not of {form.size}")
    return list(form.iter_unpack(_read(file, at, size * count))) if count else []


def _read(file: int, at: int, size: int) -> bytes:
    if size > MOST_BYTES or at >= 1 << 63:
        raise Broken(f"a table of {size} bytes")
    found = os.pread(file, size, at)
    if len(found) < size:
        raise Broken("it ends too early")
    return found
