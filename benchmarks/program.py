"""What one tick of the tracer `program` costs, beside process-exporter and node_exporter, for the same 300 processes.

    .venv/bin/python -m benchmarks.program [--rounds 15] [--processes 300]

CPU time in alternating rounds, medians. Ours is the tick alone, in a process of its own, from reading /proc to the
encoded snapshot; the age of proportional set sizes is that of a scrape every 15 s. The exporters' is a whole scrape.
Half of the processes sleep, the others wake up 10 times a second, 10 of them with 8 threads. Run as root.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

from scalpels_exporter.catalog import load_module
from scalpels_exporter.declare import Context
from scalpels_exporter.programs.known import KNOWN
from scalpels_exporter.programs.naming import Naming
from scalpels_exporter.programs.rules import Rule
from scalpels_exporter.worker.samples import encode

ROOT = Path(__file__).parent.parent
NAME = r"(bench-\d\d)"
NAMES = 20
SCRAPE_SECONDS = 15.0
START_SECONDS = 20.0
SLEEP = ["sh", "-c", 'exec -a "$0" sleep 3600']
WAKE = ["bash", "-c", "exec {pipe}<> <(:); while :; do read -t 0.1 -u $pipe; done"]
THREADS = """
import threading, time
def wake():
    while True: time.sleep(0.1)
for _ in range(7): threading.Thread(target=wake).start()
wake()
"""
CONFIG = """process_names:
  - {name: "{{.Matches.Name}}", cmdline: ['(?P<Name>bench-\\d\\d)']}
  - {name: "{{.Comm}}", cmdline: ['.+']}
"""

Measure = Callable[[], tuple[float, int]]  # → CPU seconds, samples


def cpu_seconds(pid: int) -> float:
    """Of all threads of another process, in nanoseconds' resolution: its CLOCK_PROCESS_CPUTIME_ID."""
    return time.clock_gettime((~pid << 3) | 2)


@contextlib.contextmanager
def crowd(size: int) -> Iterator[None]:
    """The processes, under 20 names in their command lines."""
    started = []
    for n in range(size):
        name = f"bench-{n % NAMES:02}"
        if n % 30 == 0:
            command = ["/usr/bin/python3", "-c", THREADS, name]
        elif n % 2:
            command = [*WAKE, name]
        else:
            command = ["bash", *SLEEP[1:], name]
        started.append(subprocess.Popen(command))
    try:
        time.sleep(2.0)  # all of them have exec'ed and settled
        yield
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait()


def tick_when_told() -> None:
    """The measured process: a line in, one tick, `CPU-seconds samples` out."""
    module = load_module(str(ROOT / "tracers" / "program.py"))
    now = 0.0
    module.time = SimpleNamespace(monotonic=lambda: now)  # type: ignore[attr-defined]
    naming = Naming([Rule(r"\1", cmdline=re.compile(NAME)), *KNOWN])
    parameters = {parameter.name: parameter.default for parameter in module.TRACER.parameters}
    snapshots = module.snapshots(Context(parameters, naming.program, program_of=naming.program_of))
    for _ in sys.stdin:
        now += SCRAPE_SECONDS
        begin = time.process_time()
        snapshot = encode(next(snapshots))
        spent = time.process_time() - begin
        print(spent, snapshot.count(b"\n") - 1, flush=True)


@contextlib.contextmanager
def ours() -> Iterator[Measure]:
    command = [sys.executable, "-m", "benchmarks.program", "--tick"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, process.stdout

        def tick() -> tuple[float, int]:
            stdin.write("\n")
            stdin.flush()
            spent, samples = stdout.readline().split()
            return float(spent), int(samples)

        yield tick
        stdin.close()


@contextlib.contextmanager
def exporter(command: str, *flags: str) -> Iterator[Measure]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [command, f"--web.listen-address=127.0.0.1:{port}", *flags]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:

        def scrape() -> tuple[float, int]:
            begin = cpu_seconds(process.pid)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                text = answer.read()
            return cpu_seconds(process.pid) - begin, len(re.findall(rb"^[^#]", text, re.MULTILINE))

        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                scrape()
                break
            except OSError:
                assert process.poll() is None, f"{command} ended"
                assert time.monotonic() < deadline, f"{command} does not answer"
                time.sleep(0.05)
        yield scrape
        process.kill()


def contenders(stack: contextlib.ExitStack) -> dict[str, Measure]:
    found = {"program, one tick": stack.enter_context(ours())}
    if shutil.which("prometheus-process-exporter"):
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "config.yaml").write_text(CONFIG)
        flag = f"-config.path={folder}/config.yaml"
        few = ("-threads=false", "-gather-smaps=false")
        found["process-exporter"] = stack.enter_context(exporter("prometheus-process-exporter", flag))
        found["process-exporter, no smaps, no threads"] = stack.enter_context(
            exporter("prometheus-process-exporter", flag, *few)
        )
    if shutil.which("prometheus-node-exporter"):
        found["node_exporter"] = stack.enter_context(exporter("prometheus-node-exporter"))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--processes", type=int, default=300)
    parser.add_argument("--tick", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.tick:
        tick_when_told()
        return
    with contextlib.ExitStack() as stack:
        stack.enter_context(crowd(chosen.processes))
        all_of_them = contenders(stack)
        spent: dict[str, list[float]] = {name: [] for name in all_of_them}
        samples: dict[str, int] = {}
        for measure in all_of_them.values():
            measure()  # the first sight of 300 processes is another thing
        for _ in range(chosen.rounds):
            for name, measure in all_of_them.items():
                seconds, samples[name] = measure()
                spent[name].append(seconds)
        present = sum(name.isdecimal() for name in os.listdir("/proc"))  # noqa: PTH208
    medians = {name: statistics.median(values) * 1000 for name, values in spent.items()}
    own = next(iter(medians.values()))
    print(f"{present} processes, {chosen.processes} of them ours; {chosen.rounds} rounds; CPU time, medians\n")
    print(f"{'':40} {'ms':>7} {'least':>7} {'most':>7} {'samples':>8} {'× ours':>7}")
    for name, median in medians.items():
        least, most = min(spent[name]) * 1000, max(spent[name]) * 1000
        print(f"{name:40} {median:7.1f} {least:7.1f} {most:7.1f} {samples[name]:8} {median / own:7.2f}")


if __name__ == "__main__":
    main()
