"""The program `cloud-client`: a few users of cloud-api, at a rate that is bounded, until SIGTERM.

python -m demo.clients PORT
"""

from __future__ import annotations

import http.client
import json
import random
import sys
import threading
import time
import uuid
from collections import deque

USERS = 6
PAUSE = 0.25  # seconds between two requests of a user; all together at most 24 a second
KEPT = 40  # instances of a user; the oldest is deleted
# What a user does → how often. Few things fail: so that every page has something to show, and no alert fires for it.
HABITS = {"list": 30, "show": 20, "build": 24, "reboot": 12, "console": 12, "miss": 1.5, "break": 0.5}
JSON = {"Content-Type": "application/json"}


class User:
    def __init__(self, port: int, chance: random.Random) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._chance = chance
        self._own: deque[str] = deque()

    def go(self) -> None:
        while True:
            began = time.monotonic()
            try:
                self._one()
            except (OSError, http.client.HTTPException, ValueError) as error:  # users try again
                print(f"{time.strftime('%H:%M:%S')} {error!r}", file=sys.stderr, flush=True)
                self._connection.close()
            time.sleep(max(0.0, began + PAUSE * self._chance.uniform(0.9, 1.3) - time.monotonic()))

    def _one(self) -> None:
        if len(self._own) > KEPT:
            self._ask("DELETE", f"/v2.1/servers/{self._own.popleft()}")
            return
        habit = self._chance.choices(list(HABITS), list(HABITS.values()))[0] if self._own else "build"
        one = f"/v2.1/servers/{self._chance.choice(self._own)}" if self._own else ""
        match habit:
            case "build":
                self._own.append(
                    json.loads(self._ask("POST", "/v2.1/servers", b'{"server": {"flavorRef": "1"}}'))["id"]
                )
            case "list":
                self._ask("GET", "/v2.1/servers/detail")
            case "show":
                self._ask("GET", one)
            case "reboot":
                self._ask("POST", f"{one}/action", b'{"reboot": {"type": "SOFT"}}')
            case "console":
                self._ask("POST", f"{one}/action", b'{"os-getConsoleOutput": {}}')
            case "miss":
                self._ask("GET", f"/v2.1/servers/{uuid.UUID(int=self._chance.getrandbits(128))}")
            case "break":
                self._ask("GET", "/v2.1/limits")

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        self._connection.request(method, path, body, JSON if body else {})
        return self._connection.getresponse().read()


def main() -> None:
    port = int(sys.argv[1])
    threads = [threading.Thread(target=User(port, random.Random(seed)).go, daemon=True) for seed in range(USERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
