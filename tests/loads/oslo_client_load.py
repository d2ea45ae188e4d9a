"""RPC clients of oslo.messaging in one process. Its last argument is its mode.

run     {topic, calls, casts, fanouts, workers, sizes, …}   that many of each over all methods, so many at a time

Option `slow`: each delivery takes so many seconds more; when the messages of calls left and came, by id, is told.
"""

from __future__ import annotations

import sys
from collections import Counter
from time import perf_counter_ns
from typing import Any

from loads import oslo_rpc

oslo_rpc.begin(MODE := sys.argv[2] if len(sys.argv) > 2 else "threading")

import queue  # noqa: E402
import random  # noqa: E402
import threading  # noqa: E402

import oslo_messaging  # noqa: E402

from loads.amqp_moments import Moments  # noqa: E402
from loads.jobs import serve  # noqa: E402

CONTEXT = {
    "user": "8f1c6ce2a9b84c3c9bd1a0d7f1d3e1aa",
    "project_id": "3e4c6ce2a9b84c3c9bd1a0d7f1d3e1bb",
    "request_id": "req-0b2c2f0e-95a4-4c3e-8a55-1d9d1f3f3c11",
    "roles": ["reader", "member", "admin"],
    "is_admin": True,
}


# Debian 12's has no function yet.
rpc_client = getattr(oslo_messaging, "get_rpc_client", None) or oslo_messaging.RPCClient


class Client:
    def __init__(self) -> None:
        self.made: Any = None
        self._moments: Moments | None = None

    def use(self, target: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
        self._moments = Moments(options["slow"]) if "slow" in options else None
        self.made = oslo_rpc.transport(target, options)
        return {}

    def run(
        self,
        topic: str,
        calls: int = 0,
        casts: int = 0,
        fanouts: int = 0,
        workers: int = 1,
        sizes: tuple[int, ...] = (10,),
        timeout: float = 60,
        seed: int = 1,
        methods: tuple[str, ...] = oslo_rpc.METHODS,
        context: int = 0,
        exchange: str | None = None,
        namespace: str | None = None,
        **arguments: Any,
    ) -> dict[str, Any]:
        moments = random.Random(seed)
        work: queue.Queue[tuple[str, str, dict[str, Any]]] = queue.Queue()
        kinds = ["call"] * calls + ["cast"] * casts + ["fanout"] * fanouts
        moments.shuffle(kinds)
        for place, kind in enumerate(kinds):
            told = {**arguments, "filling": "y" * moments.choice(sizes)}
            work.put((kind, methods[place % len(methods)], told))
        lock = threading.Lock()
        counted: dict[str, Counter[str]] = {"call": Counter(), "cast": Counter(), "fanout": Counter()}
        failed: Counter[str] = Counter()
        times: list[tuple[str, int]] = []
        where = {**CONTEXT, "service_catalog": "z" * context} if context else CONTEXT

        def part() -> None:
            client = rpc_client(
                self.made,
                oslo_messaging.Target(exchange=exchange, topic=topic, namespace=namespace, version="1.0"),
                timeout=timeout,
            )
            many = client.prepare(fanout=True)
            while True:
                try:
                    kind, method, told = work.get_nowait()
                except queue.Empty:
                    return
                began = perf_counter_ns()
                error = ""
                try:
                    if kind == "call":
                        client.call(where, method, **told)
                    else:
                        (many if kind == "fanout" else client).cast(where, method, **told)
                except Exception as raised:
                    error = type(raised).__name__
                took = perf_counter_ns() - began
                with lock:
                    counted[kind][method] += 1
                    if error:
                        failed[error] += 1
                    if kind == "call":
                        times.append((method, took))

        threads = [threading.Thread(target=part) for _ in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        told = self._moments.told() if self._moments else {}
        return {
            **{kind: dict(found) for kind, found in counted.items()},
            "failed": dict(failed),
            "times": times,
            **told,
        }


if __name__ == "__main__":
    one = Client()
    serve({job.__name__: job for job in (one.use, one.run)})
