"""What the tracer `sql` adds to a statement, at the client and at the server, beside MariaDB's own performance_schema.

    .venv/bin/python -m benchmarks.sql [--rounds 9] [--statements 4000]

CPU microseconds of one `SELECT 1` (PyMySQL on loopback, MariaDB and PostgreSQL from Debian), added by the real agent
with `sql` on: paired within alternating rounds with the tracer stopped, then medians. `bystander` is a client and a
server that no rule names. performance_schema is a second server that has it on, in the same rounds. Throughput is the
ratio of statements a second with and without. Needs root; asserts nothing.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from running import RunningAgent, quiet_but, wait_until
from servers.mariadb_server import MariaDb
from servers.postgresql_server import PostgreSql

NAMED = "programs:\n  - {name: client, cmdline: benchmarks.sql}\n"
ACCOUNTED_SECONDS = 1.2  # after a start the kernel counts run time, which is dear; then one second in ten
UNNAMED = "programs:\n  - {name: nobody, cmdline: mark-of-nobody}\n"


def cpu_ns(pid: int) -> int:
    """Of all threads that live."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of CPU a statement, and statements a second."""

    client: float
    server: float
    rate: float


@dataclass(frozen=True, slots=True)
class Subject:
    cursor: Any
    server: int  # the process that answers

    def measured(self, statements: int) -> Cost:
        client, server, begin = time.process_time_ns(), cpu_ns(self.server), time.perf_counter()
        for _ in range(statements):
            self.cursor.execute("SELECT 1")
            self.cursor.fetchall()
        took = time.perf_counter() - begin
        client, server = time.process_time_ns() - client, cpu_ns(self.server) - server
        return Cost(client / statements / 1000, server / statements / 1000, statements / took)


def agent(stack: ExitStack, rules: str) -> RunningAgent:
    folder = Path(stack.enter_context(TemporaryDirectory()))
    folder.chmod(0o755)
    started = RunningAgent(folder, f"{rules}{quiet_but('sql')}  sql: {{}}\n")
    stack.callback(started.close)
    wait_until(lambda: started.value("scalpels_worker_up", tracer="sql") == 1, 60, "sql is up")
    return started


@contextmanager
def tracing(agent: RunningAgent) -> Iterator[None]:
    agent.post("/api/v1/tracers/sql/start", {})
    wait_until(lambda: agent.value("scalpels_worker_up", tracer="sql") == 1, 60, "sql is up")
    time.sleep(ACCOUNTED_SECONDS)
    yield
    agent.post("/api/v1/tracers/sql/stop", {})
    wait_until(lambda: agent.tracer("wire")["state"] == "stopped", 60, "its probes are off")


def subjects(stack: ExitStack) -> dict[str, Subject]:
    found = {}
    for name, server in (
        ("mariadb", MariaDb()),
        ("mariadb with performance_schema", MariaDb(performance_schema=True)),
    ):
        running = stack.enter_context(server)
        connection = running.admin()
        stack.callback(connection.close)
        found[name] = Subject(connection.cursor(), running.pid)
    postgresql = stack.enter_context(PostgreSql())
    other = stack.enter_context(postgresql.admin())
    other.autocommit = True
    row = other.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    found["postgresql"] = Subject(other.cursor(), row[0])
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
    parser.add_argument("--statements", type=int, default=4000)
    chosen = parser.parse_args()
    traced: dict[str, list[tuple[Cost, Cost]]] = {}
    with ExitStack() as stack:
        every = subjects(stack)
        plain, schema = every["mariadb"], every.pop("mariadb with performance_schema")
        for rules, kind in ((NAMED, "traced at both ends"), (UNNAMED, "bystander client")):
            started = agent(stack, rules)
            started.post("/api/v1/tracers/sql/stop", {})
            for _ in range(chosen.rounds):
                for name, subject in every.items():
                    without = subject.measured(chosen.statements)
                    with tracing(started):
                        subject.measured(200)
                        within = subject.measured(chosen.statements)
                    traced.setdefault(f"{name}, {kind}", []).append((without, within))
            started.close()
        for _ in range(chosen.rounds):
            pair = (plain.measured(chosen.statements), schema.measured(chosen.statements))
            traced.setdefault("performance_schema instead", []).append(pair)
    print(f"CPU µs of a SELECT 1; {chosen.rounds} rounds of {chosen.statements}, medians\n")
    print(f"{'':42} {'client':>7} {'added':>7} {'server':>8} {'added':>7} {'throughput':>10}")
    for name, costs in traced.items():
        row(name, costs)


if __name__ == "__main__":
    main()
