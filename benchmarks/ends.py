"""What a tracer of the wire adds to an operation at both of its ends: paired rounds, medians, one table.

A round measures each subject with the tracer stopped and then with it on, each after as many operations that do not
count: shared processors are faster after a rest. The pairs' differences are what counts. `in kernel` is the run time of
all kernel programs of `wire` for one operation, at all ends that are named, as the kernel counts it, less what counting
takes; it does not hold the dispatch to them, and swings far less than the differences. With bystanders at both ends,
which no rule names, what is left is the dispatch and one look-up: below that no tracepoint can be.
On two CPUs the ends disturb each other, and wake each other up from idleness, which is dearer than the operation: under
`taskset -c 0` everything that is measured shares one. Which operation it is, and against which servers, `sql`, `http`
and `rpc` say.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from held_programs import held_programs
from running import RunningAgent, quiet_but, wait_until

from scalpels_exporter.bpf import calls, costs

SERVERS = "programs:\n  - {name: nobody, cmdline: mark-of-nobody}\n"  # those that have a built-in name
NOBODY = "programs:\n  - {name: other, cmdline: .}\n"
ACCOUNTED_SECONDS = 1.2  # after a start the kernel counts run time, which is dear; then one second in ten


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of CPU an operation, and operations a second."""

    client: float
    server: float
    rate: float
    kernel: float = 0.0


Pairs = dict[str, list[tuple[Cost, Cost]]]  # what → without and with, a pair for each round


@dataclass(frozen=True, slots=True)
class Subject:
    """One operation, done by this process, and the processes that answer it."""

    do: Callable[[], object]
    servers: Sequence[int]

    def warm(self, times: int) -> Cost:
        """Measured once it has been done as often."""
        self.measured(times)
        return self.measured(times)

    def measured(self, times: int) -> Cost:
        client, server, begin = time.process_time_ns(), sum(map(cpu_ns, self.servers)), time.perf_counter()
        for _ in range(times):
            self.do()
        took = time.perf_counter() - begin
        client, server = time.process_time_ns() - client, sum(map(cpu_ns, self.servers)) - server
        return Cost(client / times / 1000, server / times / 1000, times / took)


def cpu_ns(pid: int) -> int:
    """Of all threads that live."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def measure(
    tracer: str,
    rules: str,
    subjects: Mapping[str, Subject],
    rounds: int,
    times: int,
    beside: Mapping[str, Callable[[], AbstractContextManager[object]]] | None = None,
) -> Pairs:
    """With the programs of `rules` traced, then with the servers alone, then with none. What is `beside` has its turn
    in the same rounds, in its context and with the tracer stopped.
    """
    found: Pairs = {}
    for named, kind in ((rules, "traced"), (SERVERS, "bystander client"), (NOBODY, "bystanders")):
        with ExitStack() as stack:
            agent = _agent(stack, tracer, named)
            for _ in range(rounds):
                for name, subject in subjects.items():
                    without = subject.warm(times)
                    for other, on in (beside or {}).items() if named == rules else ():
                        with on():
                            found.setdefault(f"{name}, {other}", []).append((without, subject.warm(times)))
                    with _tracing(agent, tracer):
                        within = subject.warm(times)
                        within = replace(within, kernel=_in_kernel(agent, subject, times))
                    found.setdefault(f"{name}, {kind}", []).append((without, within))
    return found


def _agent(stack: ExitStack, tracer: str, rules: str) -> RunningAgent:
    folder = Path(stack.enter_context(TemporaryDirectory()))
    folder.chmod(0o755)
    agent = RunningAgent(folder, f"{rules}{quiet_but(tracer)}  {tracer}: {{}}\n")
    stack.callback(agent.close)
    wait_until(lambda: agent.value("scalpels_worker_up", tracer=tracer) == 1, 60, f"{tracer} is up")
    agent.post(f"/api/v1/tracers/{tracer}/stop", {})
    return agent


def _in_kernel(agent: RunningAgent, subject: Subject, times: int) -> float:
    """Microseconds an operation."""
    counting = calls.enable_stats()
    try:
        clock_ns = costs.calibrate()
        with held_programs(agent.tracer("wire")["pid"]) as programs:
            before, _ = costs.run_time(programs, clock_ns)
            subject.measured(times)
            after, _ = costs.run_time(programs, clock_ns)
    finally:
        os.close(counting)
    return (after - before) * 1e6 / times


@contextmanager
def _tracing(agent: RunningAgent, tracer: str) -> Iterator[None]:
    agent.post(f"/api/v1/tracers/{tracer}/start", {})
    wait_until(lambda: agent.value("scalpels_worker_up", tracer=tracer) == 1, 60, f"{tracer} is up")
    time.sleep(ACCOUNTED_SECONDS)
    yield
    agent.post(f"/api/v1/tracers/{tracer}/stop", {})
    wait_until(lambda: agent.tracer("wire")["state"] == "stopped", 60, "its probes are off")


def show(title: str, found: Pairs) -> None:
    print(
        f"{title}\n\n{'':42} {'client':>7} {'added':>7} {'server':>8} {'added':>7} {'throughput':>10} {'in kernel':>10}"
    )
    for name, pairs in found.items():

        def median(of: Callable[[Cost, Cost], float], pairs: list[tuple[Cost, Cost]] = pairs) -> float:
            return statistics.median(of(without, within) for without, within in pairs)

        print(
            f"{name:42} {median(lambda a, _: a.client):7.1f} {median(lambda a, b: b.client - a.client):+7.2f}"
            f" {median(lambda a, _: a.server):8.1f} {median(lambda a, b: b.server - a.server):+7.2f}"
            f" {median(lambda a, b: b.rate / a.rate):10.3f} {median(lambda _, b: b.kernel):10.2f}"
        )
