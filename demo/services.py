"""Starts the services of the demo in their order, each once what it needs answers."""

from __future__ import annotations

import signal
import sys
from contextlib import ExitStack
from pathlib import Path

from demo.backends import Backends
from demo.children import LOOPBACK, Child, listens
from demo.waiting import wait_for

THREADS = 8

# How the agent names them; its own rules know MariaDB and RabbitMQ.
NAMES = {
    "cloud-conductor": "demo[.]conductor",
    "cloud-compute": "demo[.]compute",
    "cloud-api": "gunicorn .*demo[.]api",
    "cloud-client": "demo[.]clients",
}


class Services:
    """They run when this is made, and end with the stack."""

    def __init__(self, stack: ExitStack, folder: Path, there: Backends, port: int) -> None:
        told, python = there.environment(), sys.executable
        disks = folder / "disks"
        disks.mkdir()
        conductor = stack.enter_context(Child("conductor", folder, [python, "-m", "demo.conductor"], told))
        self._compute = Child("compute", folder, [python, "-m", "demo.compute", str(disks)], told)
        stack.enter_context(self._compute)
        command = [
            *(python, "-m", "gunicorn", "--worker-class=gthread", "--workers=1", f"--threads={THREADS}"),
            *(f"--bind={LOOPBACK}:{port}", "--keep-alive=60", "--graceful-timeout=1", "--no-control-socket"),
            *(f"--worker-tmp-dir={folder}", "demo.api:application"),
        ]
        api = stack.enter_context(Child("api", folder, command, told))
        wait_for(lambda: listens(port), 30, "cloud-api answers", api, self._compute, conductor)
        clients = stack.enter_context(Child("clients", folder, [python, "-m", "demo.clients", str(port)]))
        self.children = (conductor, self._compute, api, clients)

    def become_slower(self) -> None:
        self._compute.tell(signal.SIGUSR1)
