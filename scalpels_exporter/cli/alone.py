"""One tracer's worker without an agent: the same spawner, the same privileges, the same intake. Draws nothing.

The spawner is a process of its own that ends every worker and all that workers left, also when this process is
killed. This process gives its privileges up before it reads the first byte of a worker, as the agent does.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable
from pathlib import Path
from socket import recv_fds
from types import TracebackType
from typing import NoReturn

from scalpels_exporter.cli.examples import Examples
from scalpels_exporter.cli.exits import Problem
from scalpels_exporter.cli.hints import Looks
from scalpels_exporter.config.settings import Chosen, Settings
from scalpels_exporter.intake.intake import Intake
from scalpels_exporter.intake.snapshot import Snapshot
from scalpels_exporter.needs import required
from scalpels_exporter.spawn import child, messages, privileges, spawner
from scalpels_exporter.spawn.confine import confine
from scalpels_exporter.spawn.link import MOST_DESCRIPTORS

START_SECONDS = 10.0  # for a fork
RUN = 1  # the number of the one life that the worker gets
CHUNK_BYTES = 256 * 1024
MOST_CHUNKS_LEFT = 64  # that are still read of a worker that has ended
END_SECONDS = 5.0  # that a worker may take to end
LOG_LINE_BYTES = 4096

Say = Callable[[str, str], None]  # kind (log, refused) and text


class Alone:
    """A context: the process tree stands inside it and is gone after it.

    `say` hears each line of the worker's log and each refusal; `on_snapshot`, when it is set, gets each good snapshot.
    """

    def __init__(self, chosen: Chosen, settings: Settings, config: Path | None, say: Say) -> None:
        self.tracer = chosen.tracer
        self.intake = Intake(chosen.tracer, chosen.series, time.time)
        self.snapshot: Snapshot | None = None
        self.snapshots = 0
        self.on_snapshot: Callable[[Snapshot], None] | None = None
        self.bytes = 0  # that the worker printed
        self.exit: int | None = None  # of the worker: its status, negative for a signal
        self.told_to_end = False
        self.pid = 0
        self.started = 0.0  # unix time
        self.last_words = ""  # the last error in its log
        self._say = say
        self.looks = Looks(chosen.tracer)
        self._examples = Examples(chosen.tracer)
        self._start = (settings, config)
        self._stdin = -1
        self._log: dict[int, bytes] = {}  # the line that each stderr has not ended yet
        self._beside: list[int] = []  # pipes of the tracers that ours requires
        self._read: dict[int, Callable[[], None]] = {}

    @property
    def ticked(self) -> bool:
        return self.tracer.ticked

    @property
    def over(self) -> bool:
        """The worker has ended."""
        return self.exit is not None

    @property
    def refused_all(self) -> bool:
        """It has answered, and nothing of it could be taken."""
        return self.snapshot is None and self.ticked and self.intake.completed > 0

    # ------------------------------------------------------------------ begin and end

    def __enter__(self) -> Alone:
        settings, config = self._start
        who = child.agent_identity()
        self._link, self._spawner = spawner.fork(settings, config, None)
        try:
            privileges.keep_only((), *((who.uid, who.gid) if who else (None, None)))
            privileges.hide_memory()
            confine()
            self._read[self._link.fileno()] = self._answer
            every = {name: one.tracer for name, one in settings.tracers.items()}
            for tracer in (*required(self.tracer, every), self.tracer):
                self._link.send(messages.encode(messages.Start(tracer.name, RUN)))
            self.wait(lambda: self.pid, START_SECONDS)
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, _end)
        except BaseException:
            self._gone()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.pid and self.exit is None:
                self.told_to_end = True
                self._close_stdin()
                self._link.send(messages.encode(messages.Terminate(self.tracer.name, RUN)))
                self.wait(lambda: self.exit is not None, END_SECONDS)
        except (OSError, KeyboardInterrupt, Problem):
            pass  # the spawner ends what is left
        finally:
            self._gone()

    def _gone(self) -> None:
        self._link.close()
        for descriptor in self._beside:
            os.close(descriptor)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._spawner, 0)

    # ------------------------------------------------------------------ what the caller does

    def tick(self) -> None:
        """Asks for one snapshot, where the tracer is one that is asked."""
        if self.ticked and self._stdin >= 0:
            with contextlib.suppress(OSError):
                os.write(self._stdin, b"\n")

    def wait(self, until: Callable[[], object], seconds: float) -> bool:
        """Lets things happen until the condition holds (True) or the time is over (False)."""
        deadline = time.monotonic() + seconds
        while not until():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            ready, _, _ = select.select(list(self._read), [], [], left)
            for descriptor in ready:
                # An answer may have removed it in the meantime.
                if descriptor in self._read:
                    self._read[descriptor]()
        return True

    # ------------------------------------------------------------------ what happens

    def _answer(self) -> None:
        packet, descriptors, _, _ = recv_fds(self._link, messages.LIMIT, MOST_DESCRIPTORS)
        if not packet:
            raise Problem("the process that keeps the worker is gone")
        match messages.split(packet):
            case ["started", name, _, _] if name != self.tracer.name:
                self._beside += descriptors  # what it does is seen in ours
                if name == self.tracer.host:
                    self._listen_to_host(name, descriptors.pop())
            case ["unstarted", name, _, text] if name == self.tracer.name:
                self._read_what_is_left()  # of a host that has ended at once
                raise Problem(f"{text}: {self.last_words}" if self.last_words else text)
            case ["ended", name, _, how] if name != self.tracer.name:
                self._say("log", f"W! {name} ended with {how}")
            case ["started", _, _, pid]:
                self.pid, self.started = int(pid), time.time()
                self._stdin, stdout, stderr = descriptors
                for descriptor in descriptors:
                    os.set_blocking(descriptor, False)
                self._read[stdout] = lambda: self._take(stdout)
                self._read[stderr] = lambda: self._take_log(stderr, "")
            case ["ended", _, _, how]:
                self._read_what_is_left()
                if self.bytes and not self.told_to_end:
                    self._show(self.intake.finish())  # as an agent does: the last line may lack its newline
                kind, _, number = how.partition(":")
                self.exit = -int(number) if kind == "signal" else int(number)
            case ["refused", text]:
                raise Problem(text)

    def _read_what_is_left(self) -> None:
        for descriptor in [d for d in self._read if d != self._link.fileno()]:
            for _ in range(MOST_CHUNKS_LEFT):
                if descriptor not in self._read or not select.select([descriptor], [], [], 0)[0]:
                    break
                self._read[descriptor]()

    def _take(self, descriptor: int) -> None:
        chunk = os.read(descriptor, CHUNK_BYTES)
        if not chunk:
            self._forget(descriptor)
        self.bytes += len(chunk)
        self.looks.at(chunk)
        self._show(self.intake.feed(chunk) if chunk else None, chunk)

    def _show(self, snapshot: Snapshot | None, chunk: bytes = b"") -> None:
        for complaint in (*self.intake.complaints(), *self._examples.among(chunk)):
            self._say("refused", complaint)
        if snapshot is not None:
            self.snapshot = snapshot
            self.snapshots += 1
            if self.on_snapshot:
                self.on_snapshot(snapshot)

    def _listen_to_host(self, name: str, stderr: int) -> None:
        """The worker is its: what it says concerns ours."""
        self._beside.remove(stderr)
        os.set_blocking(stderr, False)
        self._read[stderr] = lambda: self._take_log(stderr, f"{name}: ")

    def _take_log(self, descriptor: int, prefix: str) -> None:
        chunk = os.read(descriptor, CHUNK_BYTES)
        *lines, last = (self._log.get(descriptor, b"") + chunk).split(b"\n")
        if not chunk:
            self._forget(descriptor)
            lines, last = [*lines, last], b""
        self._log[descriptor] = last[:LOG_LINE_BYTES]
        for line in lines:
            text = line[:LOG_LINE_BYTES].decode("utf-8", "replace").strip()
            if text:
                self._heard(text, prefix)

    def _heard(self, text: str, prefix: str) -> None:
        level, words = (text[:2], text[2:].strip()) if text[:2] in ("E!", "W!", "I!", "D!") else ("", text)
        if level == "E!" or not self.last_words:
            self.last_words = prefix + words
        self._say("log", f"{level} {prefix}{words}".strip() if prefix else text)

    def _forget(self, descriptor: int) -> None:
        del self._read[descriptor]
        os.close(descriptor)

    def _close_stdin(self) -> None:
        if self._stdin >= 0:
            os.close(self._stdin)
            self._stdin = -1


def _end(number: int, _: object) -> NoReturn:
    """As an exception, so that what was started is ended first."""
    raise Problem(f"ended by {signal.Signals(number).name}", 128 + number)
