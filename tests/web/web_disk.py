"""The privileged side's part for tests: the files of a web configuration, read from a disk."""

from __future__ import annotations

from pathlib import Path

from scalpels_exporter.web import webfiles


class Disk:
    """Plays the privileged side: reads the web configuration when it has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last: webfiles.WebFiles | None = None
        self.calls = 0

    async def __call__(self) -> webfiles.WebFiles | None:
        self.calls += 1
        if self.last is not None and not webfiles.changed(self.last):
            return None
        self.last = webfiles.read(str(self.path))
        return self.last
