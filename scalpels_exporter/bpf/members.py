"""The members of a host that are on: each with its own three pipes, all answered by the host's one worker.

Nobody waits for a member: what the reader of its stdout does not take stays here, one snapshot at most, and its next
tick is answered after it; the agent ends who answers no more. Whatever goes wrong in a member ends that member alone.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Set
from types import ModuleType

from scalpels_exporter.bpf import hosted
from scalpels_exporter.bpf.reading import NEVER, Held, Reading
from scalpels_exporter.bpf.tables import Misfit
from scalpels_exporter.config.settings import Chosen
from scalpels_exporter.declare import Unsupported
from scalpels_exporter.needs import lacks
from scalpels_exporter.spawn import hosting
from scalpels_exporter.worker.preflight import UNSUPPORTED, in_words

FAILED = 1
_GONE = select.POLLHUP | select.POLLERR
_ON, _OFF = (1).to_bytes(4, sys.byteorder), bytes(4)

Ready = Mapping[int, int]  # descriptor → what `poll` says of it


class Members:
    """`control` is the worker's end of the spawner's socket, `able` the capabilities that the worker began with."""

    def __init__(self, held: Held, modules: Mapping[str, ModuleType | None], control: int, able: Set[str]) -> None:
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # one member's reader is gone: no reason to die for the others
        found = held.maps.get(hosted.SWITCHES)
        if found is None:
            raise Misfit(f"the source has no map {hosted.SWITCHES}")
        self._switches = found
        self._held, self._modules, self._able = held, modules, able
        self._control = socket.socket(fileno=control)
        self._on: dict[str, _Member] = {}

    @property
    def due(self) -> float:
        """When a companion wants to be called; monotonic seconds."""
        return min((member.reading.due for member in self._on.values()), default=NEVER)

    def interests(self) -> Iterator[tuple[int, int]]:
        """Descriptors to wait for, and what for."""
        if self._control.fileno() >= 0:
            yield self._control.fileno(), select.POLLIN
        for member in self._on.values():
            yield from member.interests()

    def turn(self, ready: Ready) -> None:
        """Lets everyone do what it has waited for."""
        for name, member in list(self._on.items()):
            status = member.turn(ready)
            if status is not None:
                self._drop(name, status)
        # Last: the descriptors that come may have the numbers of those that were just closed.
        if self._control.fileno() in ready:
            self._hear()

    def _hear(self) -> None:
        try:
            packet, descriptors, _, _ = socket.recv_fds(self._control, hosting.LIMIT, hosting.PIPES)
        except ConnectionError:
            packet, descriptors = b"", []
        match packet.decode().split():
            case ["add", name, run]:
                self._add(name, int(run), descriptors)
            case ["drop", name, run]:
                if name in self._on and self._on[name].run == int(run):
                    self._drop(name, 0)
            case []:
                self._control.close()  # the spawner is gone, and this worker is about to be

    def _add(self, name: str, run: int, descriptors: list[int]) -> None:
        if len(descriptors) < hosting.PIPES:
            for descriptor in descriptors:
                os.close(descriptor)
            self._tell(name, run, FAILED)
            return
        stdin, stdout, stderr = descriptors
        part = next((one for one in self._held.host.members if one.tracer.name == name), None)
        member = _Member(run, (stdin, stdout, stderr))
        status = member.begin(self._held, part, self._modules.get(name), self._able)
        if part is None or status is not None:
            member.close()
            self._tell(name, run, FAILED if status is None else status)
            return
        if name in self._on:
            self._drop(name, 0)  # its end was ordered when there was no room for the order
        self._on[name] = member
        self._switches.put(hosted.switch(self._held.host, part), _ON)

    def _drop(self, name: str, status: int) -> None:
        part = next(one for one in self._held.host.members if one.tracer.name == name)
        self._switches.put(hosted.switch(self._held.host, part), _OFF)
        member = self._on.pop(name)
        member.close()
        self._tell(name, member.run, status)

    def _tell(self, name: str, run: int, status: int) -> None:
        with contextlib.suppress(OSError):  # the spawner is gone
            self._control.send(f"ended {name} {run} {status}".encode())


class _Member:
    reading: Reading

    def __init__(self, run: int, pipes: tuple[int, int, int]) -> None:
        self.run = run
        self._stdin, self._stdout, self._stderr = pipes
        self._owed = 0  # ticks
        self._left = memoryview(b"")  # of the snapshot that is being written
        for descriptor in pipes:
            os.set_blocking(descriptor, False)

    def begin(self, held: Held, part: Chosen | None, module: ModuleType | None, able: Set[str]) -> int | None:
        """The exit status of a member that cannot be, None for one that can."""
        if part is None:
            self._say(f"E! {held.host.tracer.name} was loaded without it")
            return FAILED
        missing = lacks(part.tracer, capabilities=able)
        if missing:
            self._say(f"E! {in_words(missing)}")
            return UNSUPPORTED
        return self._guarded(lambda: self._read(held, part, module))

    def _read(self, held: Held, part: Chosen, module: ModuleType | None) -> None:
        self.reading = Reading(held, part, module, f"{part.tracer.name}_events")
        self.reading.beat()

    def interests(self) -> Iterator[tuple[int, int]]:
        yield self._stdin, 0 if self._left else select.POLLIN  # that it was closed is told unasked
        if self._left:
            yield self._stdout, select.POLLOUT
        if self.reading.records >= 0:
            yield self.reading.records, select.POLLIN

    def turn(self, ready: Ready) -> int | None:
        """The exit status of a member that is over, None while it is not."""
        return self._guarded(lambda: self._turn(ready))

    def _turn(self, ready: Ready) -> int | None:
        if self.reading.records in ready or time.monotonic() >= self.reading.due:
            self.reading.beat()
        if self._stdout in ready:
            self._write()
        happened = ready.get(self._stdin, 0)
        if happened and not self._left:
            chunk = os.read(self._stdin, 64)
            if not chunk:
                return 0
            self._owed += chunk.count(b"\n")
        while self._owed and not self._left:
            self._owed -= 1
            self._left = memoryview(self.reading.snapshot())
            self._write()
        return 0 if self._left and happened & _GONE else None

    def _write(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._left:
                self._left = self._left[os.write(self._stdout, self._left) :]

    def _guarded(self, step: Callable[[], int | None]) -> int | None:
        try:
            return step()
        except BrokenPipeError:
            return 0  # nobody reads it any more
        except Unsupported as reason:
            self._say(f"E! {reason}")
            return UNSUPPORTED
        except Misfit as misfit:
            self._say(f"E! {misfit}")
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            self._say(f"E! {type(error).__name__}: {error} ({last.filename}:{last.lineno})")
        return FAILED

    def _say(self, line: str) -> None:
        with contextlib.suppress(OSError):  # full, or nobody reads it
            os.write(self._stderr, f"{line}\n".encode(errors="replace"))

    def close(self) -> None:
        for descriptor in (self._stdin, self._stdout, self._stderr):
            os.close(descriptor)
