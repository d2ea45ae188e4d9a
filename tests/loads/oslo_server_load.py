"""An RPC server of oslo.messaging that counts what it is asked for. Its last argument is its mode.

serve   {topic, name, threads, exchange}  starts one
counted {}                                how often each method was called since the last time; their nanoseconds
stop    {}                                ends all

Option `slow`: each delivery takes so many seconds more; `counted` tells when the messages of calls left and came,
by id.
"""

from __future__ import annotations

import sys
from collections import Counter
from time import perf_counter_ns
from typing import Any

from loads import oslo_rpc

oslo_rpc.begin(MODE := sys.argv[2] if len(sys.argv) > 2 else "threading")

import threading  # noqa: E402
import time  # noqa: E402

import oslo_messaging  # noqa: E402

from loads.amqp_moments import Moments  # noqa: E402
from loads.jobs import serve  # noqa: E402


class Expected(Exception):
    """What a method says it may raise."""


class Endpoint:
    target = oslo_messaging.Target(version="1.0")
    prefix = ""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.calls: Counter[str] = Counter()
        self.times: list[tuple[str, int]] = []

    def told(self) -> dict[str, Any]:
        """And forgotten."""
        with self._lock:
            found = {"served": dict(self.calls), "times": self.times}
            self.calls, self.times = Counter(), []
        return found

    def __getattr__(self, method: str) -> Any:
        if method not in oslo_rpc.METHODS:
            raise AttributeError(method)

        @oslo_messaging.expected_exceptions(Expected)
        def run(context: dict[str, Any], **arguments: Any) -> Any:
            began = perf_counter_ns()
            with self._lock:
                self.calls[self.prefix + method] += 1
            try:
                return self._run(arguments)
            finally:
                with self._lock:
                    self.times.append((method, perf_counter_ns() - began))

        return run

    def _run(self, arguments: dict[str, Any]) -> Any:
        time.sleep(arguments.get("sleep", 0))
        fails = arguments.get("fails", "")
        if fails == "Expected":
            raise Expected("as it was told")
        if fails:
            raise ValueError("as it was told")
        return "x" * arguments.get("answer", 0)


class Spaced(Endpoint):
    """The same methods in a namespace."""

    target = oslo_messaging.Target(namespace=oslo_rpc.NAMESPACE, version="1.0")
    prefix = f"{oslo_rpc.NAMESPACE}."


class Server:
    def __init__(self) -> None:
        self.endpoint, self.spaced = Endpoint(), Spaced()
        self.servers: list[Any] = []
        self.made: Any = None
        self._moments: Moments | None = None

    def use(self, target: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
        self._moments = Moments(options["slow"]) if "slow" in options else None
        self.made = oslo_rpc.transport(target, options)
        return {}

    def serve(self, topic: str, name: str, threads: int = 64, exchange: str | None = None) -> dict[str, Any]:
        where = oslo_messaging.Target(exchange=exchange, topic=topic, server=name)
        server = oslo_messaging.get_rpc_server(
            self.made,
            where,
            [self.endpoint, self.spaced],
            executor=MODE,
            access_policy=oslo_messaging.DefaultRPCAccessPolicy,
        )
        server.start(override_pool_size=threads)
        self.servers.append(server)
        return {}

    def counted(self) -> dict[str, Any]:
        found, spaced = self.endpoint.told(), self.spaced.told()
        found["served"] |= spaced["served"]
        found["times"] += spaced["times"]
        return found | (self._moments.told() if self._moments else {})

    def stop(self) -> dict[str, Any]:
        for server in self.servers:
            server.stop()
            server.wait()
        return {}


if __name__ == "__main__":
    one = Server()
    serve({job.__name__: job for job in (one.use, one.serve, one.counted, one.stop)})
