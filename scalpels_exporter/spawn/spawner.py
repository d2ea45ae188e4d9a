"""The process that keeps the privileges: forks workers by declared name, signals them, reaps them, ends with the agent.

Opens no network and parses nothing but `messages`. It is single-threaded, so that forking is safe, and it never
blocks: what takes time (reading files, compiling) happens in a child.
"""

from __future__ import annotations

import array
import contextlib
import os
import pickle
import select
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from scalpels_exporter.bpf.sharing import Shared
from scalpels_exporter.config.settings import Chosen, Settings
from scalpels_exporter.declare import Bpf
from scalpels_exporter.processes import children, end_children
from scalpels_exporter.spawn import child, descriptors, messages, privileges, reader
from scalpels_exporter.spawn.hosting import Hosting, line
from scalpels_exporter.web import webfiles

END_GRACE_SECONDS = 1.5  # after the agent is gone: time for workers to end by themselves
MOST_WORKERS = 256


@dataclass(slots=True)
class _Worker:
    tracer: str
    run: int
    pid: int
    in_kernel: bool  # it has kernel programs


@dataclass(slots=True)
class _Reading:
    pid: int
    memory: int
    web: bool


@dataclass(slots=True)
class Spawner:
    """One per agent. `main` forks it before anything else is started."""

    agent: socket.socket
    settings: Settings
    config: Path | None
    web_config: Path | None
    workers: dict[int, _Worker] = field(default_factory=dict)  # by pid
    reading: _Reading | None = None
    shared: Shared = field(default_factory=Shared)  # kernel maps
    hosting: Hosting = field(init=False)
    sweeping: bool = False  # orphans were killed: what they leave becomes ours next
    web_signature: webfiles.Signature = ()  # of the web configuration that was read last

    def serve(self) -> None:
        """Until the agent closes its end. Then every worker is ended, and nothing is left behind."""
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        poll = select.poll()
        self.hosting = Hosting(poll, self._answer)
        poll.register(self.agent, select.POLLIN)
        poll.register(wake_read, select.POLLIN)
        while True:
            wait = self.shared.beat(any(worker.in_kernel for worker in self.workers.values()))
            for descriptor, _ in poll.poll(None if wait is None else wait * 1000):
                if descriptor == wake_read:
                    with contextlib.suppress(BlockingIOError):
                        os.read(wake_read, 4096)
                    self._reap()
                elif descriptor != self.agent.fileno():
                    if liar := self.hosting.hear(descriptor):
                        _signal_worker(liar, signal.SIGKILL)
                elif not self._take():
                    self._end_all()
                    return

    # ------------------------------------------------------------------ orders

    def _take(self) -> bool:
        try:
            # One byte more than the limit tells a long packet from a whole one.
            packet, _, _, _ = self.agent.recvmsg(messages.LIMIT + 1)
        except ConnectionError:
            return False
        if not packet:
            return False
        try:
            order = messages.decode(packet)
            match order:
                case messages.Start(tracer, run):
                    problem = self._start(tracer, run)
                    if problem:
                        self._answer(f"unstarted {tracer} {run} {problem}")
                case messages.Terminate(tracer, run):
                    self._signal(tracer, run, signal.SIGTERM)
                case messages.Kill(tracer, run):
                    self._signal(tracer, run, signal.SIGKILL)
                case messages.Reload():
                    self._read(web=False)
                case messages.ReadWeb():
                    self._read_web()
        except messages.Refused as refusal:
            self._answer(f"refused {refusal}")
        return True

    def _start(self, tracer: str, run: int) -> str:
        """Why there is no worker; "" when there is one."""
        chosen = self.settings.tracers.get(tracer)
        if chosen is None:
            return f"no tracer is declared as {tracer}"
        if any(worker.tracer == tracer for worker in self.workers.values()):
            return f"{tracer} has a worker already"
        if len(self.workers) >= MOST_WORKERS:
            return f"{MOST_WORKERS} workers are there already"
        if chosen.tracer.host:
            return self.hosting.start(chosen.tracer, run)
        pid = 0
        try:
            with descriptors.pipes() as (theirs, ours), line(chosen) as control:
                pid = self._fork(chosen, theirs, tuple(end.fileno() for end in control[1:]))
                self._answer(f"started {tracer} {run} {pid}", ours)
        except OSError as error:
            if pid:
                _signal_worker(pid, signal.SIGKILL)  # nobody holds the other ends of its pipes
            return f"{tracer} could not be started: {error.strerror}"
        self.workers[pid] = _Worker(tracer, run, pid, isinstance(chosen.tracer.runs, Bpf))
        for end in control[:1]:
            self.hosting.began(pid, tracer, end)
        return ""

    def _fork(self, chosen: Chosen, pipes: tuple[int, int, int], control: tuple[int, ...]) -> int:
        # A signal that we ignore would be lost on a child that has not got its own way with it yet.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        spawner, shared = os.getpid(), self.shared.of(chosen)
        try:
            pid = os.fork()
            if pid == 0:
                child.run(chosen, self.settings, pipes, spawner, shared, control)
            return pid
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _signal(self, tracer: str, run: int, number: int) -> None:
        if self.hosting.end(tracer, run, now=number == signal.SIGKILL):
            return  # it has no process of its own
        for worker in self.workers.values():
            if (worker.tracer, worker.run) == (tracer, run):
                _signal_worker(worker.pid, number)
                return
        # Else it ended by itself in the same moment: its `ended` is on its way.

    # ------------------------------------------------------------------ reading files

    def _read(self, *, web: bool) -> None:
        verb = "web" if web else "settings"
        if self.reading is not None:
            self._answer(f"{verb} busy")
            return
        try:
            memory = os.memfd_create("settings", os.MFD_CLOEXEC)
        except OSError:
            self._answer(f"{verb} broken")
            return
        path = self.web_config if web else self.config
        try:
            self.reading = _Reading(reader.fork(path, memory, web=web), memory, web)
        except OSError as error:
            os.write(memory, f"no process to read it: {error.strerror}".encode())
            os.lseek(memory, 0, os.SEEK_SET)
            self._answer(f"{verb} broken", (memory,))
            os.close(memory)

    def _read_web(self) -> None:
        if self.web_config is None:
            raise messages.Refused("there is no web configuration")
        if self.web_signature and webfiles.signature(entry[0] for entry in self.web_signature) == self.web_signature:
            self._answer("web same")
            return
        self._read(web=True)

    def _finish_reading(self, reading: _Reading, status: int) -> None:
        verb = "web" if reading.web else "settings"
        code = os.waitstatus_to_exitcode(status)
        if code == reader.GOOD:
            os.lseek(reading.memory, 0, os.SEEK_SET)
            with os.fdopen(os.dup(reading.memory), "rb") as file:
                found = pickle.load(file)
            if reading.web:
                self.web_signature = found.signature
            else:
                self.settings = found
        elif code == -signal.SIGALRM:
            os.ftruncate(reading.memory, 0)
            os.pwrite(reading.memory, f"reading the files took longer than {reader.SECONDS} s".encode(), 0)
        os.lseek(reading.memory, 0, os.SEEK_SET)
        result = {reader.GOOD: "ok", reader.MISTAKEN: "mistakes"}.get(code, "broken")
        self._answer(f"{verb} {result}", (reading.memory,))
        os.close(reading.memory)

    # ------------------------------------------------------------------ ends

    def _reap(self) -> None:
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            pid = found.si_pid
            worker = self.workers.pop(pid, None)
            if worker is not None:
                _signal_worker(pid, signal.SIGKILL)  # before it is reaped, while its number cannot be another's
            _, status = os.waitpid(pid, 0)
            if worker is not None:
                self._end_orphans()
                code = os.waitstatus_to_exitcode(status)
                self._answer(f"ended {worker.tracer} {worker.run} {f'exit:{code}' if code >= 0 else f'signal:{-code}'}")
                self.hosting.host_ended(pid, code)
            elif self.reading is not None and pid == self.reading.pid:
                reading, self.reading = self.reading, None
                self._finish_reading(reading, status)
            elif self.sweeping:
                self._end_orphans()  # its children have become ours in this moment

    def _end_orphans(self) -> None:
        """Ends what a worker left behind: as subreaper this process has become the parent of it."""
        known = {self.reading.pid} if self.reading else set()
        orphans = [pid for pid in children() if pid not in self.workers and pid not in known]
        self.sweeping = bool(orphans)
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _end_all(self) -> None:
        for pid in self.workers:
            _signal_worker(pid, signal.SIGTERM)
        deadline = time.monotonic() + END_GRACE_SECONDS
        while self.workers and time.monotonic() < deadline:
            select.select([], [], [], 0.05)
            self._reap()
        for pid in list(self.workers):
            _signal_worker(pid, signal.SIGKILL)
        end_children()

    def _answer(self, text: str, opened: Sequence[int] = ()) -> None:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", opened))] if opened else []
        with contextlib.suppress(ConnectionError):  # the agent is gone; the next read says so
            self.agent.sendmsg([text.encode(errors="replace")[: messages.LIMIT]], ancillary)


def _signal_worker(pid: int, number: int) -> None:
    """To its group; to itself alone when it is so young that it leads none yet."""
    for send in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            send(pid, number)
            return


def fork(settings: Settings, config: Path | None, web_config: Path | None) -> tuple[socket.socket, int]:
    """Starts the spawner and returns the agent's end of its socket and its pid. Call before any thread exists."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    child.freeze()
    pid = os.fork()
    if not pid:
        ours.close()
        _become(Spawner(theirs, settings, config, web_config))
    theirs.close()
    return ours, pid


def _become(spawner: Spawner) -> NoReturn:
    status = 1
    try:
        os.setsid()  # a Ctrl-C in the agent's terminal is the agent's to handle
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # it ends when the agent does, after its workers
        privileges.call_itself("scalpels-spawn")
        privileges.adopt_orphans()
        privileges.hide_memory()
        child.prepare()
        spawner.serve()
        status = 0
    except BaseException as error:
        os.write(2, f"spawner: {type(error).__name__}: {error}\n".encode(errors="replace"))
    finally:
        os._exit(status)
