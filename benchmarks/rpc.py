"""What the tracers `rpc` and `amqp` add to a call of oslo.messaging: at the client, at the server, at the broker.

    .venv/bin/python -m benchmarks.rpc [--rounds 5] [--calls 1500] [--tracers "rpc amqp"]

CPU microseconds of one small call (one client that waits for each, one server with threads, RabbitMQ, all on loopback),
added by the real agent with the tracer on: paired within alternating rounds with the tracer stopped, then medians. The
server and the broker have a row each, with the same client. `rpc` walks the frames too, whether `amqp` is on or not.
Needs root; asserts nothing.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

from benchmarks.ends import Subject, measure, show  # first: it puts the tests on the path

# isort: split
import oslo_messaging
from loads import oslo_rpc
from loads.load import RpcLoad
from servers.rabbitmq_server import RabbitMq

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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=1500)
    parser.add_argument("--tracers", default="rpc amqp")
    chosen = parser.parse_args()
    with ExitStack() as stack:
        both = subjects(stack)
        for tracer in chosen.tracers.split():
            found = measure(tracer, RULES, both, chosen.rounds, chosen.calls)
            show(f"CPU µs of a call with {tracer} on; {chosen.rounds} rounds of {chosen.calls}, medians", found)


if __name__ == "__main__":
    main()
