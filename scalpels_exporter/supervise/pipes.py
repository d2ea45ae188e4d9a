"""The three pipes of one live worker, seen from the agent: ticks in, bytes out, its log. Bounded in time and size.

Understands nothing of what flows: stdout goes to `on_data`, whole lines of stderr to `on_log`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable

CHUNK_BYTES = 256 * 1024
# A worker that floods may use so much of the agent's CPU, after a burst that a large honest snapshot fits in.
CPU_SHARE = 0.1
CPU_BURST_SECONDS = 1.0
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
        self._cpu_left = CPU_BURST_SECONDS
        self._cpu_at = time.monotonic()
        self._log_left = float(LOG_LINES_BURST)
        self._log_at = time.monotonic()
        self._log_part = b""
        self.log_dropped = 0
        self.cpu_seconds = 0.0  # of the agent, for what this worker printed
        self._resume: asyncio.TimerHandle | None = None
        for descriptor in descriptors:
            os.set_blocking(descriptor, False)
        self._loop.add_reader(self._stdout, self._read_data)
        self._loop.add_reader(self._stderr, self._read_log)

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
        """Reads what a worker that has ended left in its pipes, then closes them."""
        while self._stdout >= 0 and self._read_data(paused=False):
            pass
        while self._stderr >= 0 and self._read_log():
            pass
        self.close()

    def close(self) -> None:
        if self._resume:
            self._resume.cancel()
        self._stdin = _close(self._stdin)
        self._close_stdout()
        self._close_stderr()

    def _read_data(self, paused: bool = True) -> bool:
        """True when something was read and more may be there."""
        began = time.thread_time()
        try:
            chunk = os.read(self._stdout, CHUNK_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            chunk = b""
        if not chunk:
            self._close_stdout()
            self._on_end()
            return False
        self._on_data(chunk)
        now, spent = time.monotonic(), time.thread_time() - began
        self.cpu_seconds += spent
        earned = (now - self._cpu_at) * CPU_SHARE
        self._cpu_left = min(CPU_BURST_SECONDS, self._cpu_left + earned) - spent
        self._cpu_at = now
        if self._cpu_left < 0:
            if not paused:
                return False  # a flood's rest is not worth reading
            self._loop.remove_reader(self._stdout)
            self._resume = self._loop.call_later(-self._cpu_left / CPU_SHARE, self._continue)
        return True

    def _continue(self) -> None:
        if self._stdout >= 0:
            self._loop.add_reader(self._stdout, self._read_data)

    def _read_log(self) -> bool:
        try:
            chunk = os.read(self._stderr, CHUNK_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            chunk = b""
        if not chunk:
            self._close_stderr()
            return False
        *lines, self._log_part = (self._log_part + chunk).split(b"\n")
        self._log_part = self._log_part[:LOG_LINE_BYTES]
        for line in lines:
            self._say(line)
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


def _close(descriptor: int) -> int:
    if descriptor >= 0:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    return -1
