"""The life of one real server: a child with its own folder, port, socket and user; it leaves nothing behind.

What it serves and how it is configured is each server's own module.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from running import lives, processes_of, wait_until

LOOPBACK = "127.0.0.1"
# Below the ports that the kernel gives to clients, so that no connection takes one between choosing and listening.
PORTS = range(20_000, 32_000)
SBIN = ("/usr/sbin", "/sbin")  # not on every user's PATH
NOWHERE = Path("/nonexistent")  # the folder of a server that was not started: close() removes what it names
ESTABLISHED, CLOSE_WAIT = "01", "08"  # /proc/net/tcp
CONNECTED = "03"  # /proc/net/unix
_given: set[int] = set()


def free_port() -> int:
    """A loopback port that nobody listens on and that was not given before."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port


def program(name: str, *folders: str) -> str:
    """The path of a server's program; skips the test where it is not installed."""
    path = os.pathsep.join((*folders, os.environ.get("PATH", ""), *SBIN))
    found = shutil.which(name, path=path)
    if found is None:
        pytest.skip(f"needs {name}")
    return found


class Server:
    """A context manager: started and answering inside, ended and its folder removed after.

    `port` on 127.0.0.1 and `socket` are its addresses, `pid` its first process, `log` all that it says.
    """

    name = "server"
    users: tuple[str, ...] = ()  # the first one that exists runs it, when we are root; none: ourselves
    stop = signal.SIGTERM
    patience = 30.0  # seconds until it answers

    def __init__(self) -> None:
        self.folder = NOWHERE
        self.port = free_port()
        self.pid = 0
        self.seen: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._watching = 0  # connections of those who read its truth

    @property
    def socket(self) -> Path:
        return self.folder / "socket"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def prepare(self) -> None:
        """Makes what must be in the folder before the start."""

    def command(self) -> Sequence[str | Path]:
        raise AssertionError(f"{self.name} does not say how it is started")

    def environment(self) -> dict[str, str]:
        return {"PATH": os.pathsep.join(("/usr/bin", "/bin", *SBIN)), "LANG": "C.UTF-8"}

    def answers(self) -> bool:
        """Whether it does what it is for; an OSError or AssertionError means: not yet."""
        with socket.create_connection((LOOPBACK, self.port), 1):
            return True

    def fill(self) -> None:
        """What has to be done once it answers."""

    def user(self) -> str | None:
        """Who runs it; None: ourselves."""
        if os.geteuid() != 0 or not self.users:
            return None
        known = {entry.pw_name for entry in pwd.getpwall()}
        return next(name for name in self.users if name in known)

    def own(self, *paths: Path) -> None:
        """Gives files and folders to the user that runs it."""
        user = self.user()
        for path in paths if user else ():
            shutil.chown(path, user, pwd.getpwnam(str(user)).pw_gid)

    def as_user(self, command: Sequence[str | Path]) -> list[str | Path]:
        user = self.user()
        if user is None:
            return list(command)
        group = pwd.getpwnam(user).pw_gid
        return ["setpriv", f"--reuid={user}", f"--regid={group}", "--init-groups", *command]

    def run(self, command: Sequence[str | Path]) -> None:
        """A program that prepares something, to its end, as the server's user; fails with what it said."""
        done = subprocess.run(
            self.as_user(command), cwd=self.folder, env=self.environment(), capture_output=True, text=True, timeout=60
        )
        if done.returncode:
            pytest.fail(f"{command[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")

    def processes(self) -> list[int]:
        """Its processes now."""
        now = processes_of(self.pid)
        self.seen.update(now)
        return now

    def survivors(self) -> list[int]:
        return [pid for pid in self.seen if lives(pid)]

    def connections(self) -> int:
        """Connections of clients that it has open, by port and by socket, as the kernel says."""
        found = 0
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            found += int(local.split(":")[1], 16) == self.port and state in (ESTABLISHED, CLOSE_WAIT)
        for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
            words = line.split()
            found += words[-1] == str(self.socket) and words[5] == CONNECTED
        return found

    def until_closed(self) -> None:
        """Waits until it has closed the connections of every client, without sending anything."""
        wait_until(lambda: self.connections() <= self._watching, 20, f"{self.name} has no client any more")

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix=f"scalpels-{self.name}-"))
        self.folder.chmod(0o755)
        try:
            self.own(self.folder)
            self.prepare()
            self._start()
            wait_until(self._answers_or_ended, self.patience, f"{self.name} answers")
            self.fill()
            self.processes()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def _start(self) -> None:
        # It ends as it should when these tests are killed: the kernel sends it the signal that we would have sent.
        command = ["setpriv", f"--pdeathsig={self.stop.name.removeprefix('SIG')}", "--", *self.command()]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.as_user(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=self.environment(),
                start_new_session=True,
            )
        self.pid = self._process.pid

    def _answers_or_ended(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            pytest.fail(f"{self.name} ended with {self._process.returncode}:\n{self.log.read_text(errors='replace')}")
        return self.answers()

    def close(self) -> None:
        """Ends it by its stop signal, what is left of it by force, and removes the folder."""
        if self._process is not None:
            self.processes() if self._process.poll() is None else None
            self._process.send_signal(self.stop)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            for pid in self.survivors():
                with contextlib.suppress(ProcessLookupError):  # it has ended by itself meanwhile
                    os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not self.survivors(), 5, f"every process of {self.name} is gone")
            self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)
        assert not self.folder.exists(), f"{self.folder} cannot be removed"
