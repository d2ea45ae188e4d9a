"""Processes of the demo: each is started with a log, told to end when the demo ends, and ended by its pid."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parent.parent
LOOPBACK = "127.0.0.1"
PATH = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


# The kernel forgets to tell of our death whoever changes its user. This shell stays root, and passes the word on.
_KEEPER = """
trap 'kill "$child"' TERM
"$@" &
child=$!
while kill -0 "$child" 2> /dev/null; do wait "$child"; status=$?; done
exit "$status"
"""


class Trouble(Exception):
    """What the user is told in one line; nothing of it is a mistake in the code."""


class Child:
    """A context. `log` is all that it says; `environment` adds to ours; `drops_root`: it goes over to another user."""

    def __init__(
        self,
        name: str,
        folder: Path,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        drops_root: bool = False,
    ) -> None:
        kept = ("sh", "-c", _KEEPER, "sh") if drops_root else ()
        self.name, self.log = name, folder / f"{name}.log"
        # The kernel sends it the signal when we are killed; a session of its own keeps a terminal's Ctrl-C from it.
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig=TERM", "--", *kept, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env={**os.environ, "PATH": PATH, "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})},
                start_new_session=True,
            )
        self.pid = self._process.pid

    def check(self) -> None:
        """Trouble, with the last line of its log, if it has ended."""
        status = self._process.poll()
        if status is not None:
            said = self.log.read_text(errors="replace").strip().splitlines()
            raise Trouble(f"{self.name} ended with {status}: {said[-1] if said else 'without a word'}")

    def tell(self, what: signal.Signals) -> None:
        self._process.send_signal(what)

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.end()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def must_be_free(ports: Mapping[str, int]) -> None:
    """Option → port. Trouble for the first that is taken."""
    for option, port in ports.items():
        if listens(port):
            raise Trouble(f"port {port} of {LOOPBACK} is taken; {option} N chooses another")
