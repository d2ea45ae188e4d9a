"""A FUSE file system in which every call takes as long as its caller asks. Started as `slow_files.py FOLDER`.

Each number of microseconds is the name of a file. A read or write at byte N takes N microseconds, an fsync as many as
the file's name says; some 80 come on top. What it gives and takes is nothing; it ends when it is unmounted. Run by the
Python of the distribution, which has fusepy.
"""

from __future__ import annotations

import stat
import sys
import time
from typing import Any

import fusepy  # type: ignore[import-not-found]

SIZE = 1 << 40


class SlowFiles(fusepy.Operations):  # type: ignore[misc]
    def getattr(self, path: str, fh: Any = None) -> dict[str, int]:
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2}
        return {"st_mode": stat.S_IFREG | 0o644, "st_nlink": 1, "st_size": SIZE}

    def open(self, path: str, flags: int) -> int:
        return 0

    def read(self, path: str, size: int, offset: int, fh: Any) -> bytes:
        time.sleep(offset / 1e6)
        return b"x"

    def write(self, path: str, data: bytes, offset: int, fh: Any) -> int:
        time.sleep(offset / 1e6)
        return len(data)

    def fsync(self, path: str, datasync: int, fh: Any) -> int:
        time.sleep(int(path.strip("/")) / 1e6)
        return 0


if __name__ == "__main__":
    fusepy.FUSE(SlowFiles(), sys.argv[1], foreground=True, direct_io=True, nothreads=True)
