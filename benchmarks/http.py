"""What the tracer `http` adds to a request, at the client and at the server.

    .venv/bin/python -m benchmarks.http [--rounds 9] [--requests 3000]

CPU microseconds of one small GET over a kept connection (http.client on loopback, gunicorn with threads and uWSGI),
added by the real agent with `http` on: paired within alternating rounds with the tracer stopped, then medians.
`bystander` is a client and a server that no rule names. Throughput is the ratio of requests a second with and without.
Needs root; asserts nothing.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from running import RunningAgent, quiet_but, wait_until
from servers.http_server import HttpServer
from servers.python_servers import Gunicorn
from servers.server import LOOPBACK
from servers.uwsgi_server import Uwsgi

NAMED = """programs:
  - {name: client, cmdline: benchmarks.http}
  - {name: server, cmdline: 'scalpels-(gunicorn|uwsgi)-'}
"""
UNNAMED = "programs:\n  - {name: nobody, cmdline: 'mark-of-nobody'}\n"


# As a client of an API sends.
HEADERS = {"X-Auth-Token": "g" * 180, "Accept": "application/json", "User-Agent": "python-novaclient"}


def cpu_ns(pid: int) -> int:
    """Of all threads that live."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of CPU a request, and requests a second."""

    client: float
    server: float
    rate: float


@dataclass(frozen=True, slots=True)
class Subject:
    connection: HTTPConnection
    servers: list[int]

    def measured(self, requests: int) -> Cost:
        client, server, begin = time.process_time_ns(), sum(map(cpu_ns, self.servers)), time.perf_counter()
        for _ in range(requests):
            self.connection.request(
                "GET", "/v2.1/servers/8c0a4f5e-7d0f-4c0a-9a55-1f6f0a3c9b11?size=10", headers=HEADERS
            )
            self.connection.getresponse().read()
        took = time.perf_counter() - begin
        client, server = time.process_time_ns() - client, sum(map(cpu_ns, self.servers)) - server
        return Cost(client / requests / 1000, server / requests / 1000, requests / took)


def agent(stack: ExitStack, rules: str) -> RunningAgent:
    folder = Path(stack.enter_context(TemporaryDirectory()))
    folder.chmod(0o755)
    started = RunningAgent(folder, f"{rules}{quiet_but('http')}  http: {{}}\n")
    stack.callback(started.close)
    wait_until(lambda: started.value("scalpels_worker_up", tracer="http") == 1, 60, "http is up")
    return started


@contextmanager
def tracing(agent: RunningAgent) -> Iterator[None]:
    agent.post("/api/v1/tracers/http/start", {})
    wait_until(lambda: agent.value("scalpels_worker_up", tracer="http") == 1, 60, "http is up")
    yield
    agent.post("/api/v1/tracers/http/stop", {})
    wait_until(lambda: agent.tracer("wire")["state"] == "stopped", 60, "its probes are off")


def subjects(stack: ExitStack) -> dict[str, Subject]:
    servers: dict[str, HttpServer] = {
        "gunicorn": Gunicorn("gthread", workers=1, threads=2),
        "uwsgi": Uwsgi(workers=1, threads=2),
    }
    found = {}
    for name, server in servers.items():
        running = stack.enter_context(server)
        connection = HTTPConnection(LOOPBACK, running.port, timeout=10)
        stack.callback(connection.close)
        found[name] = Subject(connection, running.processes())
    return found


def row(name: str, costs: list[tuple[Cost, Cost]]) -> None:
    def median(of: Callable[[Cost, Cost], float]) -> float:
        return statistics.median(of(without, within) for without, within in costs)

    print(
        f"{name:42} {median(lambda a, _: a.client):7.1f} {median(lambda a, b: b.client - a.client):+7.2f}"
        f" {median(lambda a, _: a.server):8.1f} {median(lambda a, b: b.server - a.server):+7.2f}"
        f" {median(lambda a, b: b.rate / a.rate):10.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--requests", type=int, default=3000)
    chosen = parser.parse_args()
    traced: dict[str, list[tuple[Cost, Cost]]] = {}
    with ExitStack() as stack:
        every = subjects(stack)
        for rules, kind in ((NAMED, "traced at both ends"), (UNNAMED, "bystander client")):
            started = agent(stack, rules)
            started.post("/api/v1/tracers/http/stop", {})
            for _ in range(chosen.rounds):
                for name, subject in every.items():
                    without = subject.measured(chosen.requests)
                    with tracing(started):
                        subject.measured(200)
                        within = subject.measured(chosen.requests)
                    traced.setdefault(f"{name}, {kind}", []).append((without, within))
            started.close()
    print(f"CPU µs of a small GET; {chosen.rounds} rounds of {chosen.requests}, medians\n")
    print(f"{'':42} {'client':>7} {'added':>7} {'server':>8} {'added':>7} {'throughput':>10}")
    for name, costs in traced.items():
        row(name, costs)


if __name__ == "__main__":
    main()
