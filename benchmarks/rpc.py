"""What the tracers `rpc` and `amqp` add to a call of oslo.messaging: at the client, at the server, at the broker.

    .venv/bin/python -m benchmarks.rpc [--rounds 5] [--calls 1500] [--tracers "rpc amqp"]

CPU microseconds of one small call (one client that waits for each, one server with threads, RabbitMQ, all on loopback),
added by the real agent with the tracer on: paired within alternating rounds with the tracer stopped, then medians. The
server and the broker have a row each, with the same client. `rpc` walks the frames too, whether `amqp` is on or not.
oslo.metrics has a row in the same rounds: oslo.messaging's own metrics, switched on in the client, which sends them to
the real collector; what that takes comes on top. Needs root; asserts nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.ends import Subject, measure, show  # first: it puts the tests on the path

# isort: split
import oslo_messaging
from loads import oslo_rpc
from loads.load import RpcLoad
from oslo_config import cfg
from running import wait_until
from servers.rabbitmq_server import RabbitMq
from servers.server import LOOPBACK, free_port

SERVER = "mark-of-the-rpc-server"
RULES = f"""programs:
  - {{name: client, cmdline: benchmarks.rpc}}
  - {{name: server, cmdline: {SERVER}}}
"""
CONTEXT = {"user": "8f1c6ce2a9b84c3c9bd1a0d7f1d3e1aa", "roles": ["member"], "catalog": "z" * 1000}


def subjects(stack: ExitStack) -> dict[str, Subject]:
    broker = stack.enter_context(RabbitMq())
    server = stack.enter_context(RpcLoad("oslo_server", broker.target(), SERVER, ["threading"]))
    server.do("serve", topic="compute", name="host")
    made = oslo_rpc.transport(asdict(broker.target()), {})
    client = oslo_messaging.get_rpc_client(made, oslo_messaging.Target(topic="compute", version="1.0"), timeout=20)

    def call() -> Any:
        return client.call(CONTEXT, "ping", filling="y" * 100)

    return {"its server": Subject(call, [server.pid]), "RabbitMQ": Subject(call, broker.processes())}


@contextmanager
def oslo_metrics(stack: ExitStack) -> Iterator[Callable[[], AbstractContextManager[object]]]:
    """Switches the client's own metrics on; their collector runs from the first time."""
    folder = Path(stack.enter_context(TemporaryDirectory()))
    place, port = folder / "metrics.sock", free_port()
    settings = folder / "oslo-metrics.conf"
    settings.write_text(
        f"[oslo_metrics]\nmetrics_socket_file = {place}\nprometheus_host = {LOOPBACK}\nprometheus_port = {port}\n"
    )
    command = [sys.executable, "-m", "oslo_metrics", "--config-file", str(settings)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as collector:
        wait_until(place.exists, 20, "oslo.metrics listens")
        group = "oslo_messaging_metrics"
        cfg.CONF.set_override("metrics_socket_file", str(place), group=group)
        cfg.CONF.set_override("metrics_process_name", "client", group=group)

        @contextmanager
        def on() -> Iterator[None]:
            cfg.CONF.set_override("metrics_enabled", True, group=group)
            yield
            cfg.CONF.set_override("metrics_enabled", False, group=group)

        yield on
        collector.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=1500)
    parser.add_argument("--tracers", default="rpc amqp")
    chosen = parser.parse_args()
    with ExitStack() as stack:
        both = subjects(stack)
        beside = {"oslo.metrics at the client": stack.enter_context(oslo_metrics(stack))}
        for tracer in chosen.tracers.split():
            found = measure(tracer, RULES, both, chosen.rounds, chosen.calls, beside)
            beside = {}
            show(f"CPU µs of a call with {tracer} on; {chosen.rounds} rounds of {chosen.calls}, medians", found)


if __name__ == "__main__":
    main()
