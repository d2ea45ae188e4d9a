"""An RPC server of oslo.messaging: serves an endpoint until SIGTERM. What it answers is the services' own."""

from __future__ import annotations

import signal
import threading

import oslo_messaging

from demo.wires import transport

THREADS = 16


def serve(topic: str, endpoint: object) -> None:
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    server = oslo_messaging.get_rpc_server(
        transport(), oslo_messaging.Target(topic=topic, server="node-1"), [endpoint], executor="threading"
    )
    server.start(override_pool_size=THREADS)
    over.wait()
    server.stop()
    server.wait()
