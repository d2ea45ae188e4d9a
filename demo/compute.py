"""The service `cloud-compute`: serves RPC methods until SIGTERM. SIGUSR1 is the bad deployment: one becomes slower.

python -m demo.compute FOLDER       each instance leaves a file there
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import oslo_messaging

from demo.methods import COMPUTE, CONDUCTOR, METHOD, SECONDS, SLOWER
from demo.serving import serve
from demo.wires import client, transaction


class Endpoint:
    target = oslo_messaging.Target(version="1.0")

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.times = 1.0

    def build_instance(self, _: dict[str, Any], instance: str) -> str:
        with transaction() as cursor:
            cursor.execute("SELECT COUNT(*) FROM instances WHERE state = 'error'")
        time.sleep(SECONDS[METHOD] * self.times)
        with (self._folder / f"{instance[:2]}.disk").open("wb") as disk:
            disk.write(b"\0" * 65536)
            disk.flush()
            os.fsync(disk.fileno())
        client(CONDUCTOR).call({}, "object_action", instance=instance, state="active")
        return "active"

    def reboot_instance(self, _: dict[str, Any], instance: str) -> str:
        time.sleep(SECONDS["reboot_instance"])
        with transaction() as cursor:
            cursor.execute("UPDATE instances SET state = 'active' WHERE id = %s", (instance,))
        return "active"

    def get_console(self, _: dict[str, Any], instance: str) -> str:
        """One in sixteen has none, which is an exception at both ends."""
        time.sleep(SECONDS["get_console"])
        if instance.endswith("0"):
            raise LookupError(instance)
        return f"console of {instance}\n" * 40

    def delete_instance(self, _: dict[str, Any], instance: str) -> None:
        """Cast: nobody waits for it."""
        with transaction() as cursor:
            cursor.execute("DELETE FROM instances WHERE id = %s", (instance,))


def main() -> None:
    endpoint = Endpoint(Path(sys.argv[1]))

    def slower(*_: object) -> None:
        endpoint.times = SLOWER

    signal.signal(signal.SIGUSR1, slower)
    serve(COMPUTE, endpoint)


if __name__ == "__main__":
    main()
