"""What the agent takes while nobody looks: CPU and memory of its whole process tree, scraped as Prometheus would.

    .venv/bin/python -m benchmarks.upkeep [--seconds 180] [--interval 15] [--drop-caches]

One row for each process, first with the default tracers, then with `fs` and `syscalls` on too, each agent for the given
time. CPU is the share of one core, in user and kernel mode; what kernel programs take inside the processes that they
trace is a row of its own, as the kernel measures it. `--drop-caches` makes the start a cold one (for the whole
machine). Run as root; nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from benchmarks.footprint import ROOT, START_SECONDS, cpu_seconds, family, free_port, pss_bytes
from scalpels_exporter.config.load import load

DEFAULT = tuple(name for name, one in load(None).tracers.items() if one.enabled)
RUNS = {"default tracers": DEFAULT, "and kernel programs": (*DEFAULT, "fs", "syscalls", "programs")}
AS_PROMETHEUS = {
    "Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Accept-Encoding": "gzip",
    "X-Prometheus-Scrape-Timeout-Seconds": "10",
}


@dataclass(frozen=True)
class Taken:
    start_seconds: float  # from exec to the end of the first scrape in which every tracer was there
    cpu: dict[str, float]  # process → share of one core
    pss: dict[str, float]  # process → MiB
    probes: float  # share of one core that the kernel measured in kernel programs
    samples: int
    forks: float  # a second, on the whole machine: `programs` and `program` look at what is new


@contextmanager
def agent(folder: Path, tracers: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Its pid and the address of its metrics, from its exec on."""
    config = folder / "scalpels.yaml"
    config.write_text("tracers:\n" + "".join(f"  {name}: {{}}\n" for name in tracers))
    address = f"127.0.0.1:{free_port()}"
    words = ["agent", f"--config.file={config}", f"--web.listen-address={address}", f"--web.socket={folder}/run/socket"]
    command = [sys.executable, "-m", "scalpels_exporter", *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
    try:
        yield process.pid, f"http://{address}/metrics"
    finally:
        process.terminate()
        process.wait(60)


def scrape(url: str) -> str:
    try:
        return requests.get(url, headers=AS_PROMETHEUS, timeout=10).text
    except requests.ConnectionError:
        return ""


def first_full(url: str, tracers: tuple[str, ...]) -> float:
    """Seconds until every tracer is up in a scrape."""
    began = time.monotonic()
    text = ""
    while not all(f'scalpels_worker_up{{tracer="{name}"}} 1' in text for name in tracers):
        if time.monotonic() - began > START_SECONDS:
            raise SystemExit("no full scrape")
        text = scrape(url)
    return time.monotonic() - began


def titled(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def forks() -> int:
    return int(re.search(r"^processes (\d+)", Path("/proc/stat").read_text(), re.M)[1])  # type: ignore[index]


def probe_seconds(text: str) -> float:
    return sum(map(float, re.findall(r"^scalpels_tracer_probe_seconds_total\{.*\} (\S+)$", text, re.M)))


def measure(folder: Path, tracers: tuple[str, ...], seconds: float, interval: float) -> Taken:
    with agent(folder, tracers) as (pid, url):
        start = first_full(url, tracers)
        text = scrape(url)
        every = {one: titled(one) for one in family(pid)}
        before = {one: cpu_seconds([one]) for one in every}
        probes, forked, began = probe_seconds(text), forks(), time.monotonic()
        for turn in range(1, int(seconds // interval) + 1):
            time.sleep(max(0.0, began + turn * interval - time.monotonic()))
            text = scrape(url)
        elapsed = time.monotonic() - began
        return Taken(
            start,
            {name: (cpu_seconds([one]) - before[one]) / elapsed for one, name in every.items()},
            {name: pss_bytes(one) / 2**20 for one, name in every.items()},
            (probe_seconds(text) - probes) / elapsed,
            sum(1 for line in text.splitlines() if line and not line.startswith("#")),
            (forks() - forked) / elapsed,
        )


def show(title: str, taken: Taken) -> None:
    print(f"\n{title}: first full scrape after {taken.start_seconds:.2f} s, {taken.samples} samples")
    print(f"with {taken.forks:.1f} forks a second on the machine")
    print(f"{'':24}{'CPU, % of a core':>18}{'PSS, MiB':>10}")
    for name, share in taken.cpu.items():
        print(f"  {name:22}{share * 100:18.3f}{taken.pss[name]:10.1f}")
    print(f"  {'all':22}{sum(taken.cpu.values()) * 100:18.3f}{sum(taken.pss.values()):10.1f}")
    print(f"  {'in kernel programs':22}{taken.probes * 100:18.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--interval", type=float, default=15.0)
    parser.add_argument("--drop-caches", action="store_true")
    chosen = parser.parse_args()
    processes = sum(1 for path in Path("/proc").iterdir() if path.name.isdigit())
    print(f"scraped every {chosen.interval:g} s for {chosen.seconds:g} s; {processes} processes, {os.cpu_count()} CPUs")
    for title, tracers in RUNS.items():
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            folder.chmod(0o755)  # the agent, which is not root, makes its socket in it
            if chosen.drop_caches:
                os.sync()
                Path("/proc/sys/vm/drop_caches").write_text("3")
            show(title, measure(folder, tracers, chosen.seconds, chosen.interval))


if __name__ == "__main__":
    main()
