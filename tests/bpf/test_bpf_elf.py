"""Where functions begin in ELF files: made ones, and the libraries of this machine as another tool reads them."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from scalpels_exporter.bpf import elf
from scalpels_exporter.bpf.mapped import executables, opened

TEXT = b"\0BIO_SSL_read\0other\0"  # SSL_read has no text of its own: it is the end of a longer one
NAMES = {"BIO_SSL_read": 1, "SSL_read": 5, "other": 14}
FUNCTION, OBJECT = 2, 1


def made(*symbols: tuple[str, int, int, int], segment: tuple[int, int, int] = (0x1000, 0x401000, 0x1000)) -> bytes:
    """A file with one executable segment (offset, address, bytes) and symbols (name, kind, section, address)."""
    table = bytes(24) + b"".join(struct.pack("<IBBHQQ", NAMES[n], 0x10 | k, 0, s, a, 0) for n, k, s, a in symbols)
    header, one = 64, 56
    texts_at = header + one
    table_at = texts_at + len(TEXT)
    sections_at = table_at + len(table)
    begin = struct.pack(
        *("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 3, 62, 1, 0, header, sections_at, 0),
        *(header, one, 1, 64, 2, 0),
    )
    offset, address, size = segment
    segments = struct.pack("<IIQQQQQQ", 1, 5, offset, address, address, size, size, 4096)
    sections = struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, texts_at, len(TEXT), 0, 0, 1, 0)
    sections += struct.pack("<IIQQQQIIQQ", 0, 11, 0, 0, table_at, len(table), 0, 1, 8, 24)
    return begin + segments + TEXT + table + sections


@pytest.mark.parametrize(
    ("symbols", "expected"),
    [
        ([("SSL_read", FUNCTION, 1, 0x401234)], {"SSL_read": 0x1234}),
        ([("BIO_SSL_read", FUNCTION, 1, 0x401010)], {}),
        ([("BIO_SSL_read", FUNCTION, 1, 0x401010), ("SSL_read", FUNCTION, 1, 0x401020)], {"SSL_read": 0x1020}),
        ([("SSL_read", FUNCTION, 0, 0)], {}),  # it is another file's
        ([("SSL_read", OBJECT, 1, 0x401234)], {}),
        ([("SSL_read", FUNCTION, 1, 0x402000)], {}),  # outside of what is executed
        ([("other", FUNCTION, 1, 0x401000)], {"other": 0x1000}),
        ([], {}),
    ],
)
def test_functions_are_found_where_the_file_defines_them(
    tmp_path: Path, symbols: list[tuple[str, int, int, int]], expected: dict[str, int]
) -> None:
    assert functions(tmp_path, made(*symbols)) == expected


WHOLE = made(("SSL_read", FUNCTION, 1, 0x401234))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it ends too early"),
        (b"#!/bin/sh\n" + bytes(100), "no 64-bit ELF file"),
        (WHOLE[:4] + b"\x01" + WHOLE[5:], "no 64-bit ELF file"),
        (WHOLE[:-1], "it ends too early"),
        (WHOLE[:54] + struct.pack("<H", 55) + WHOLE[56:], "entries of 55 bytes, not of 56"),
        (WHOLE[:-32] + struct.pack("<Q", 1 << 40) + WHOLE[-24:], f"a table of {1 << 40} bytes"),
        (WHOLE[:-40] + struct.pack("<Q", 1 << 63) + WHOLE[-32:], "a table of 48 bytes"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_why(tmp_path: Path, content: bytes, why: str) -> None:
    with pytest.raises(elf.Broken, match=re.escape(why)):
        functions(tmp_path, content)


@pytest.mark.parametrize("cut", range(0, len(WHOLE), 7))
def test_any_damage_is_one_complaint_or_none(tmp_path: Path, cut: int) -> None:
    for value in (0, 0xFF):
        content = bytearray(WHOLE)
        content[cut] = value
        try:
            functions(tmp_path, bytes(content))
        except elf.Broken:
            continue


def functions(folder: Path, content: bytes) -> dict[str, int]:
    path = folder / "file"
    path.write_bytes(content)
    with path.open("rb") as file:
        return elf.functions(file.fileno(), ["SSL_read", "other"])


def test_the_c_library_is_read_as_objdump_reads_it() -> None:
    if not shutil.which("objdump"):
        pytest.skip("needs objdump")
    libc = next(one for one in executables(os.getpid()) if b"/libc.so" in one.path or b"/libc-" in one.path)
    file = opened(os.getpid(), libc)
    try:
        found = elf.functions(file, ["getppid", "openat"])
    finally:
        os.close(file)
    told = subprocess.run(["objdump", "-T", os.fsdecode(libc.path)], capture_output=True, text=True, check=True).stdout
    headers = subprocess.run(
        ["objdump", "-h", os.fsdecode(libc.path)], capture_output=True, text=True, check=True
    ).stdout
    text = re.search(r" \.text +[0-9a-f]+ +([0-9a-f]+) +[0-9a-f]+ +([0-9a-f]+)", headers)
    assert text is not None
    for name, place in found.items():
        address = re.search(rf"^([0-9a-f]+) .* {name}$", told, re.M)
        assert address is not None
        assert int(address[1], 16) - int(text[1], 16) + int(text[2], 16) == place
    assert len(found) == 2


def test_what_a_process_has_mapped_is_opened_or_refused(tmp_path: Path) -> None:
    """From a recorded /proc: without map_files, by the path as the process sees it."""
    library = tmp_path / "7/root/usr/lib/libssl.so.3"
    library.parent.mkdir(parents=True)
    library.write_bytes(b"x")
    inode = library.stat().st_ino
    (tmp_path / "7/maps").write_text(
        f"7f00-7f10 r--p 00000000 fd:01 {inode} /usr/lib/libssl.so.3\n"
        f"7f10-7f20 r-xp 00001000 fd:01 {inode}                     /usr/lib/libssl.so.3\n"
        f"7f20-7f30 r-xp 00002000 fd:01 {inode}                     /usr/lib/libssl.so.3\n"
        "7f30-7f40 r-xp 00000000 fd:01 12 /gone with blanks (deleted)\n"
        "7f40-7f50 r-xp 00000000 00:00 0 [vdso]\n7f50-7f60 rwxp 00000000 00:00 0\n"
    )
    first, gone = executables(7, str(tmp_path))
    assert (first.path, first.addresses, first.identity) == (b"/usr/lib/libssl.so.3", "7f10-7f20", (b"fd:01", inode))
    assert gone.path == b"/gone with blanks (deleted)"
    os.close(opened(7, first, str(tmp_path)))
    with pytest.raises(FileNotFoundError):
        opened(7, gone, str(tmp_path))
    library.unlink()
    library.write_bytes(b"y" * 100)
    (tmp_path / "other").write_bytes(b"")  # so that the number is not given again
    if library.stat().st_ino != inode:
        with pytest.raises(FileNotFoundError, match="is not the file any more"):
            opened(7, first, str(tmp_path))
    assert executables(8, str(tmp_path)) == []
