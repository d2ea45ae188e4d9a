"""The service `cloud-conductor`: writes down what cloud-compute did, when it is asked to by RPC; until SIGTERM."""

from __future__ import annotations

import time
from typing import Any

import oslo_messaging

from demo.methods import CONDUCTOR, SECONDS
from demo.serving import serve
from demo.wires import transaction


class Endpoint:
    target = oslo_messaging.Target(version="1.0")

    def object_action(self, _: dict[str, Any], instance: str, state: str) -> None:
        time.sleep(SECONDS["object_action"])
        with transaction() as cursor:
            cursor.execute("UPDATE instances SET state = %s, changed = NOW(6) WHERE id = %s", (state, instance))


if __name__ == "__main__":
    serve(CONDUCTOR, Endpoint())
