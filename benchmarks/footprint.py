"""What the agent costs a node: memory of its whole process tree, start to first full scrape, CPU of a scrape.

    .venv/bin/python -m benchmarks.footprint [--rounds 5]

With its default tracers, in alternating rounds beside Debian's prometheus-node-exporter and
prometheus-process-exporter, which together show about the same. Run as root; nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests

from scalpels_exporter.config.load import load

ROOT = Path(__file__).parent.parent
SCRAPES = 20
START_SECONDS = 30.0
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Measured:
    start_seconds: float  # from exec to the end of the first scrape in which every default tracer was there
    pss_mebibytes: float
    processes: int
    scrape_cpu_ms: float
    scrape_wall_ms: float
    samples: int


def family(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for word in task.read_text().split():
            found += family(int(word))
    return found


def pss_bytes(pid: int) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1]) * 1024  # type: ignore[index]


def cpu_seconds(pids: list[int]) -> float:
    """Of the processes and of their children that have ended. In clock ticks: take many scrapes together."""
    words = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids)
    return sum(sum(map(int, w[11:15])) for w in words) / TICK


def measure(command: list[str], url: Callable[[], str | None], full: Callable[[str], bool]) -> Measured:
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
    try:
        text = ""
        while not full(text):
            if time.monotonic() - began > START_SECONDS or process.poll() is not None:
                raise SystemExit(f"{command[0]} gave no full scrape")
            address = url()
            text = _scrape(address) if address else ""
            time.sleep(0.01)
        started = time.monotonic() - began
        address = url() or ""
        for _ in range(3):
            _scrape(address)
        pids = family(process.pid)
        before, wall = cpu_seconds(pids), time.monotonic()
        for _ in range(SCRAPES):
            text = _scrape(address)
        spent, wall = cpu_seconds(pids) - before, time.monotonic() - wall
        pids = family(process.pid)
        samples = sum(1 for line in text.splitlines() if line and not line.startswith("#"))
        pss = sum(map(pss_bytes, pids)) / 2**20
        return Measured(started, pss, len(pids), spent / SCRAPES * 1e3, wall / SCRAPES * 1e3, samples)
    finally:
        process.terminate()
        process.wait(20)


def _scrape(url: str) -> str:
    try:
        return requests.get(url, timeout=10, headers={"X-Prometheus-Scrape-Timeout-Seconds": "10"}).text
    except requests.ConnectionError:
        return ""


def ours(folder: Path) -> Measured:
    port = free_port()
    command = [sys.executable, "-m", "scalpels_exporter", "agent", f"--web.listen-address=127.0.0.1:{port}"]
    command.append(f"--web.socket={folder}/run/agent.sock")

    on = [name for name, chosen in load(None).tracers.items() if chosen.enabled]

    def full(text: str) -> bool:
        return all(f'scalpels_worker_up{{tracer="{name}"}} 1.0' in text for name in on)

    return measure(command, lambda: f"http://127.0.0.1:{port}/metrics", full)


def debian(name: str, *flags: str) -> Measured:
    port = free_port()
    address = f"--web.listen-address=127.0.0.1:{port}"
    return measure(
        [name, address, *flags], lambda: f"http://127.0.0.1:{port}/metrics", lambda text: "process_cpu" in text
    )


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    found: dict[str, list[Measured]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # the agent, which is not root, makes its socket in it
        names = folder / "names.yaml"
        names.write_text('process_names: [{name: "{{.Comm}}", cmdline: [".+"]}]\n')
        runs: dict[str, Callable[[], Measured]] = {
            "scalpels agent, default tracers": lambda: ours(folder),
            "prometheus-node-exporter": lambda: debian("prometheus-node-exporter"),
            "prometheus-process-exporter": lambda: debian("prometheus-process-exporter", f"-config.path={names}"),
        }
        for _ in range(rounds):
            for title, run in runs.items():
                found.setdefault(title, []).append(run())
    processes = sum(1 for p in Path("/proc").iterdir() if p.name.isdigit())
    print(f"medians of {rounds} alternating rounds; {processes} processes on this machine, {os.cpu_count()} CPUs")
    print(f"{'':34}{'start, s':>9}{'PSS, MiB':>10}{'processes':>11}{'scrape, CPU ms':>16}{'wall ms':>9}{'samples':>9}")
    for title, every in found.items():
        row = [statistics.median(getattr(m, f) for m in every) for f in Measured.__dataclass_fields__]
        start, pss, count, cpu, wall, samples = row
        print(f"{title:34}{start:9.2f}{pss:10.1f}{count:11.0f}{cpu:16.2f}{wall:9.1f}{samples:9.0f}")


if __name__ == "__main__":
    main()
