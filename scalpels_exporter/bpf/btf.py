"""Reads the kernel's own type information (BTF): where a member lies in a structure. A parser of the format alone.

Whether an offset may be trusted is for its user to prove (`loader` runs the self-test). Whole structures with
bit fields are fine; a bit field itself has no offset in bytes and is not found.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

VMLINUX = Path("/sys/kernel/btf/vmlinux")
_MAGIC = 0xEB9F
_INT, _PTR, _ARRAY, _STRUCT, _UNION, _ENUM = 1, 2, 3, 4, 5, 6
_TYPEDEF, _VOLATILE, _CONST, _RESTRICT, _PROTO, _VAR, _DATASEC, _DECL_TAG, _TYPE_TAG, _ENUM64 = (
    *(8, 9, 10, 11, 13, 14, 15, 17, 18, 19),
)
_THROUGH = frozenset({_TYPEDEF, _VOLATILE, _CONST, _RESTRICT, _TYPE_TAG})
_MOST_DEPTH = 32
# kind → bytes that follow a type: so many at once, so many for each of its vlen.
_TRAILING = {_INT: (4, 0), _ARRAY: (12, 0), _STRUCT: (0, 12), _UNION: (0, 12), _ENUM: (0, 8), _PROTO: (0, 8),
             _VAR: (4, 0), _DATASEC: (0, 12), _DECL_TAG: (4, 0), _ENUM64: (0, 12)}  # fmt: skip


class Broken(ValueError):
    """Not BTF, or cut off."""


class Btf:
    def __init__(self, raw: bytes) -> None:
        """Notes where each type stands; nothing is copied. Raises Broken."""
        try:
            self._read(raw)
        except struct.error:
            raise Broken("the type information is cut off") from None

    def _read(self, raw: bytes) -> None:
        magic, _, _, header = struct.unpack_from("<HBBI", raw)
        if magic != _MAGIC:
            raise Broken("not the kernel's type information (BTF)")
        type_at, type_bytes, text_at, text_bytes = struct.unpack_from("<4I", raw, 8)
        self._raw = raw
        self._text = header + text_at
        end = header + type_at + type_bytes
        if len(raw) < max(end, self._text + text_bytes):
            raise Broken("the type information is cut off")
        self._types = [0]  # by type id: where it stands; 0 is void
        self._structs: dict[int, int] = {}  # where its name stands in the texts → type id
        at = header + type_at
        unpack, add = struct.Struct("<III").unpack_from, self._types.append
        while at < end:
            name, info, _ = unpack(raw, at)
            kind, vlen = info >> 24 & 31, info & 0xFFFF
            if kind in (_STRUCT, _UNION) and name:
                self._structs.setdefault(name, len(self._types))
            add(at)
            once, each = _TRAILING.get(kind, (0, 0))
            at += 12 + once + each * vlen

    @classmethod
    def of_kernel(cls, path: Path = VMLINUX) -> Btf:
        """OSError where the kernel has none."""
        return cls(path.read_bytes())

    def offset(self, struct_name: str, member: str) -> int | None:
        """Bytes from the start of `struct_name` to `member`, which may be `a.b.c`; anonymous members are looked into.

        None where there is no such structure or member, or where it does not begin at a byte.
        """
        identity = self._named(struct_name)
        bits = 0
        for word in member.split("."):
            found = self._member(identity, word, 0) if identity else None
            if found is None:
                return None
            bits += found[0]
            identity = self._strip(found[1])
        return bits // 8 if bits % 8 == 0 else None

    def size(self, struct_name: str) -> int | None:
        identity = self._named(struct_name)
        return struct.unpack_from("<I", self._raw, self._types[identity] + 8)[0] if identity else None

    def _named(self, name: str) -> int:
        wanted = name.encode()
        return next((identity for at, identity in self._structs.items() if self._string(at) == wanted), 0)

    def _string(self, at: int) -> bytes:
        begin = self._text + at
        return self._raw[begin : self._raw.index(b"\0", begin)]

    def _member(self, identity: int, name: str, depth: int) -> tuple[int, int] | None:
        """Bits from the start, and type id."""
        if depth > _MOST_DEPTH:
            return None
        for title, kind, bits, width in self._members(identity):
            if title == name.encode() and not width:
                return bits, kind
            if not title:
                inner = self._member(self._strip(kind), name, depth + 1)
                if inner:
                    return bits + inner[0], inner[1]
        return None

    def _members(self, identity: int) -> Iterator[tuple[bytes, int, int, int]]:
        at = self._types[identity]
        _, info, _ = struct.unpack_from("<III", self._raw, at)
        if info >> 24 & 31 not in (_STRUCT, _UNION):
            return
        flagged = info >> 31  # then the upper 8 bits of an offset are the width of a bit field
        for n in range(info & 0xFFFF):
            name, kind, offset = struct.unpack_from("<III", self._raw, at + 12 + 12 * n)
            width = offset >> 24 if flagged else 0
            yield self._string(name), kind, offset & 0xFFFFFF if flagged else offset, width

    def _strip(self, identity: int) -> int:
        """The type behind typedef, const and the like."""
        for _ in range(_MOST_DEPTH):
            _, info, target = struct.unpack_from("<III", self._raw, self._types[identity])
            if info >> 24 & 31 not in _THROUGH:
                return identity
            identity = target
        return 0
