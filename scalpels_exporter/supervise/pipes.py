"""The three pipes of one live worker, seen from the agent: ticks in, bytes out, its log. Bounded in time and size.

Understands nothing of what flows: stdout goes to `on_data`, whole lines of stderr to `on_log`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import time
from collections.abc import Callable

from scalpels_exporter.supervise.allowance import Allowance

CHUNK_BYTES = 256 * 1024
MOST_RESERVED_FILES = 64  # open files that no worker's pipes may take: for connections, /proc, readings
LOG_LINE_BYTES = 4096
LOG_LINES_BURST = 100
LOG_LINES_A_SECOND = 5.0


class Pipes:
    """Owns its three descriptors. `on_end` is called when stdout was closed by the worker."""

    def __init__(
        self,
        descriptors: tuple[int, int, int],
        on_data: Callable[[bytes], None],
        on_log: Callable[[str], None],
        on_end: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._stdin, self._stdout, self._stderr = descriptors
        self._on_data, self._on_log, self._on_end = on_data, on_log, on_end
        self._allowance = Allowance()
        self._log_left = float(LOG_LINES_BURST)
        self._log_at = time.monotonic()
        self._log_part = b""
        self.log_dropped = 0
        self._charged = 0.0  # seconds to pause for what was read beyond the allowance
        self._resume: asyncio.TimerHandle | None = None
        for descriptor in descriptors:
            os.set_blocking(descriptor, False)
        self._listen()

    @property
    def cpu_seconds(self) -> float:
        """Of the agent, for what this worker printed."""
        return self._allowance.spent

    def tick(self) -> bool:
        """Asks for one snapshot; False when the worker does not take it."""
        if self._stdin < 0:
            return False
        try:
            return os.write(self._stdin, b"\n") == 1
        except OSError:
            return False

    def close_stdin(self) -> None:
        """Tells the worker to end."""
        self._stdin = _close(self._stdin)

    def drain(self) -> None:
        """Reads what a worker that has ended left in its pipes, then closes them; not all of a flood."""
        while self._stdout >= 0 and self._read_data() and not self._charged:
            pass
        if self._stderr >= 0:
            self._read_log()
        self.close()

    def close(self) -> None:
        if self._resume:
            self._resume.cancel()
        self._stdin = _close(self._stdin)
        self._close_stdout()
        self._close_stderr()

    # ------------------------------------------------------------------ reading, within the allowance

    def _listen(self) -> None:
        self._charged = 0.0
        if self._stdout >= 0:
            self._loop.add_reader(self._stdout, self._paced, self._read_data)
        if self._stderr >= 0:
            self._loop.add_reader(self._stderr, self._paced, self._read_log)

    def _paced(self, read: Callable[[], bool]) -> None:
        """A flood on either pipe pauses both."""
        read()
        if not self._charged:
            return
        for descriptor in (self._stdout, self._stderr):
            if descriptor >= 0:
                self._loop.remove_reader(descriptor)
        self._resume = self._loop.call_later(self._charged, self._listen)

    def _read_data(self) -> bool:
        """True when something was read and more may be there."""
        began = time.thread_time()
        chunk = _read(self._stdout)
        if chunk is None:
            return False
        if not chunk:
            self._close_stdout()
            self._on_end()
            return False
        self._on_data(chunk)
        self._charged = self._allowance.spend(time.thread_time() - began)
        return True

    def _read_log(self) -> bool:
        began = time.thread_time()
        chunk = _read(self._stderr)
        if chunk is None:
            return False
        if not chunk:
            self._close_stderr()
            return False
        *lines, self._log_part = (self._log_part + chunk).split(b"\n")
        self._log_part = self._log_part[:LOG_LINE_BYTES]
        for line in lines:
            self._say(line)
        self._charged = self._allowance.spend(time.thread_time() - began)
        return True

    def _say(self, line: bytes) -> None:
        now = time.monotonic()
        self._log_left = min(float(LOG_LINES_BURST), self._log_left + (now - self._log_at) * LOG_LINES_A_SECOND)
        self._log_at = now
        if self._log_left < 1:
            self.log_dropped += 1
            return
        self._log_left -= 1
        text = line[:LOG_LINE_BYTES].decode("utf-8", "replace").strip()
        if text:
            self._on_log(text)

    def _close_stdout(self) -> None:
        if self._stdout >= 0:
            self._loop.remove_reader(self._stdout)
        self._stdout = _close(self._stdout)

    def _close_stderr(self) -> None:
        if self._stderr >= 0:
            self._loop.remove_reader(self._stderr)
            self._say(self._log_part)
        self._stderr = _close(self._stderr)


def has_room(descriptors: list[int]) -> bool:
    """Whether a worker's three pipes came, and leave some of the open files that the agent may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    reserved = min(MOST_RESERVED_FILES, soft // 4)
    return len(descriptors) == 3 and max(descriptors) < soft - reserved


def _read(descriptor: int) -> bytes | None:
    """What is there: None when there is nothing now, b"" when there will be nothing more."""
    try:
        return os.read(descriptor, CHUNK_BYTES)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def _close(descriptor: int) -> int:
    if descriptor >= 0:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    return -1
