"""A little work with files, and what the tracer must show of it under every kernel (tests/kernels)."""

import ctypes
import os
from pathlib import Path
from typing import Any

PARAMETERS: dict[str, Any] = {}
LIBC = ctypes.CDLL(None, use_errno=True)
PLACE = Path(f"/dev/shm/scalpels-case-{os.getpid()}")
BUFFER = ctypes.create_string_buffer(4096)


def work() -> None:
    PLACE.mkdir()
    path = PLACE / "file"
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(7):
        os.write(file, b"nine byte")
    for _ in range(100):
        os.pread(file, 1, 0)
    for _ in range(10):
        os.fsync(file)
    for _ in range(3):
        os.fstat(file)
    os.ftruncate(file, 50)
    os.truncate(path, 40)
    copy = os.open(PLACE / "copy", os.O_RDWR | os.O_CREAT, 0o600)
    os.sendfile(copy, file, 0, 30)
    os.copy_file_range(file, copy, 20, 0, 0)
    (PLACE / "copy").rename(PLACE / "renamed")
    (PLACE / "symbolic").symlink_to(path)
    os.access(path, os.R_OK)
    folder = os.open(PLACE, os.O_RDONLY | os.O_DIRECTORY)
    LIBC.syscall(217, folder, BUFFER, len(BUFFER))  # getdents64
    for name in ("file", "renamed", "symbolic"):
        (PLACE / name).unlink()
    PLACE.rmdir()
    for _ in range(5):
        try:
            os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
    for descriptor in (file, copy, folder):
        os.close(descriptor)
    limits = os.open("/proc/self/limits", os.O_RDONLY)
    os.read(limits, 8)
    os.close(limits)
    reader, writer = os.pipe()  # no file: does not count
    os.write(writer, b"x")
    os.read(reader, 1)


COUNTS = {
    'scalpels_fs_seconds_count{fstype="tmpfs",operation="open"}': 3,
    'scalpels_fs_seconds_count{fstype="tmpfs",operation="write"}': 7,
    'scalpels_fs_seconds_count{fstype="tmpfs",operation="read"}': 100,
    'scalpels_fs_seconds_count{fstype="tmpfs",operation="fsync"}': 10,
    'scalpels_fs_seconds_count{fstype="tmpfs",operation="stat"}': 3,
    'scalpels_fs_seconds_count{fstype="tmpfs",operation="truncate"}': 1,
    'scalpels_fs_seconds_count{fstype="tmpfs",operation="sendfile"}': 1,
    'scalpels_fs_seconds_count{fstype="tmpfs",operation="copy"}': 1,
    'scalpels_fs_seconds_count{fstype="tmpfs",operation="readdir"}': 1,
    'scalpels_fs_seconds_count{fstype="other",operation="open"}': 5,
    'scalpels_fs_seconds_count{fstype="other",operation="truncate"}': 1,
    'scalpels_fs_seconds_count{fstype="other",operation="mkdir"}': 1,
    'scalpels_fs_seconds_count{fstype="other",operation="rename"}': 1,
    'scalpels_fs_seconds_count{fstype="other",operation="link"}': 1,
    'scalpels_fs_seconds_count{fstype="other",operation="stat"}': 1,
    'scalpels_fs_seconds_count{fstype="other",operation="unlink"}': 4,
    'scalpels_fs_seconds_count{fstype="proc",operation="open"}': 1,
    'scalpels_fs_seconds_count{fstype="proc",operation="read"}': 1,
    'scalpels_fs_bytes_total{fstype="tmpfs",operation="write"}': 63,
    'scalpels_fs_bytes_total{fstype="tmpfs",operation="read"}': 100,
    'scalpels_fs_bytes_total{fstype="tmpfs",operation="sendfile"}': 30,
    'scalpels_fs_bytes_total{fstype="tmpfs",operation="copy"}': 20,
    'scalpels_fs_bytes_total{fstype="proc",operation="read"}': 8,
}
