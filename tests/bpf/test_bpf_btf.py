"""Offsets from type information: a tiny handmade one, and the running kernel's against the kernel itself."""

import struct
from pathlib import Path

import pytest

from scalpels_exporter.bpf.btf import VMLINUX, Broken, Btf

Members = tuple[tuple[str, int, int], ...]  # name, type, offset in bits
STRUCT, UNION, INT, CONST, PTR = 4, 5, 1, 10, 2


class Made:
    """Writes BTF as the kernel's documentation has it."""

    def __init__(self) -> None:
        self.types = b""
        self.texts = b"\0"

    def text(self, name: str) -> int:
        if not name:
            return 0
        at = len(self.texts)
        self.texts += name.encode() + b"\0"
        return at

    def type(
        self, kind: int, name: str, third: int, members: tuple[tuple[str, int, int], ...] = (), flag: int = 0
    ) -> None:
        self.types += struct.pack("<III", self.text(name), flag << 31 | kind << 24 | len(members), third)
        for title, of, bits in members:
            self.types += struct.pack("<III", self.text(title), of, bits)
        if kind == INT:
            self.types += bytes(4)

    def raw(self) -> bytes:
        header = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(self.types), len(self.types), len(self.texts))
        return header + self.types + self.texts


@pytest.fixture
def made() -> Made:
    made = Made()
    made.type(INT, "int", 4)  # 1
    made.type(UNION, "", 8, (("inside", 1, 0), ("other", 1, 32)))  # 2
    made.type(STRUCT, "path", 16, (("mnt", 1, 0), ("dentry", 1, 64)))  # 3
    made.type(CONST, "", 3)  # 4
    made.type(STRUCT, "file", 64, (("mode", 1, 0), ("", 2, 128), ("f_path", 4, 256)))  # 5
    made.type(STRUCT, "flagged", 8, (("bit", 1, 1 << 24 | 3), ("whole", 1, 32)), flag=1)  # 6
    return made


@pytest.mark.parametrize(
    ("struct_name", "member", "offset"),
    [
        ("file", "mode", 0),
        ("file", "inside", 16),
        ("file", "other", 20),
        ("file", "f_path", 32),
        ("file", "f_path.dentry", 40),
        ("flagged", "whole", 4),
        ("flagged", "bit", None),
        ("file", "nothing", None),
        ("nothing", "mode", None),
        ("file", "mode.deeper", None),
    ],
)
def test_a_member_is_found_through_anonymous_and_const_ones(
    made: Made, struct_name: str, member: str, offset: int | None
) -> None:
    assert Btf(made.raw()).offset(struct_name, member) == offset


@pytest.mark.parametrize("cut", [0, 3, 20, 60, -1])
def test_what_is_cut_off_or_none_at_all_is_refused(made: Made, cut: int) -> None:
    with pytest.raises(Broken):
        Btf(made.raw()[:cut])
    with pytest.raises(Broken):
        Btf(b"\x7fELF" + bytes(60))


def test_the_running_kernels_offsets_are_possible_ones() -> None:
    if not Path(VMLINUX).exists():
        pytest.skip("this kernel has no BTF")
    btf = Btf.of_kernel()
    size = btf.size("task_struct")
    assert size is not None
    places = [btf.offset("task_struct", name) for name in ("pid", "tgid", "comm", "signal", "files")]
    assert all(place is not None and 0 < place < size for place in places)
    assert len(set(places)) == len(places)
    assert btf.offset("file", "f_path.dentry") == (btf.offset("file", "f_path") or 0) + 8
    assert btf.offset("hlist_node", "pprev") == 8
