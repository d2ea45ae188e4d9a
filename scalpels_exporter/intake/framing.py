"""Chunks of a pipe → blocks of whole lines. Bounds the length of a line; knows nothing of what is in it."""

from __future__ import annotations

from scalpels_exporter.intake.rejection import Reason, Rejections, excerpt

LINE_BYTES = 1 << 20


class Framing:
    """Keeps the last, unfinished line until its newline comes; never more than LINE_BYTES and one chunk."""

    def __init__(self, rejections: Rejections) -> None:
        self._rejections = rejections
        self._partial = bytearray()
        self._discarding = False

    def cut(self, chunk: bytes) -> bytes:
        """Whole lines, each with its newline; b"" when the chunk finishes none."""
        newline = chunk.find(b"\n")
        if self._discarding:
            if newline < 0:
                return b""
            self._discarding = False
            chunk = chunk[newline + 1 :]
            newline = chunk.find(b"\n")
        if len(self._partial) + (newline if newline >= 0 else len(chunk)) > LINE_BYTES:
            return self._refuse_long_line(chunk, newline)
        if newline < 0:
            self._partial += chunk
            return b""
        end = chunk.rfind(b"\n") + 1
        if not self._partial:
            block = chunk if end == len(chunk) else chunk[:end]
        else:
            self._partial += chunk if end == len(chunk) else memoryview(chunk)[:end]
            block = bytes(self._partial)
        self._partial = bytearray(memoryview(chunk)[end:])
        return block

    def rest(self) -> bytes:
        """The unfinished line, closed by a newline, when no more will come; b"" when there is none."""
        block = bytes(self._partial) + b"\n" if self._partial else b""
        self.restarted()
        return block

    def restarted(self) -> None:
        self._partial = bytearray()
        self._discarding = False

    def _refuse_long_line(self, chunk: bytes, newline: int) -> bytes:
        begin = bytes(self._partial[:200]) or chunk[:200]
        self._rejections.add(Reason.LINE_TOO_LONG, f"a line is longer than {LINE_BYTES} bytes", excerpt(begin))
        self._partial = bytearray()
        if newline < 0:
            self._discarding = True
            return b""
        return self.cut(chunk[newline + 1 :]) if newline + 1 < len(chunk) else b""
