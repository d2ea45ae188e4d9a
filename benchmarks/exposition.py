"""What 100,000 samples cost on their way from a worker's stdout to the last byte of an HTTP response.

    .venv/bin/python -m benchmarks.exposition [--rounds 11]

CPU time of the one process that serves, in alternating rounds; every number changes between two scrapes.
`scalpels` is the real agent: it reads and checks what the worker prints, renders, compresses and sends.
`client_golang` is promhttp over HTTP on histograms of its own (benchmarks/peers/promhttp). `prometheus_client` is
generate_latest alone: neither intake nor HTTP is counted for it. Nothing is asserted. Run as root.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from scalpels_exporter.config.load import load

ROOT = Path(__file__).parent.parent
PEERS = Path(__file__).parent / "peers"
ACCEPTS = {"text": "text/plain;version=0.0.4", "openmetrics": "application/openmetrics-text;version=1.0.0"}
WAYS = [(form, encoding) for encoding in ("", "gzip") for form in ACCEPTS]
SERIES = 5882
SAMPLES = 17 * SERIES
START_SECONDS = 30.0

Scrape = Callable[[str, str], tuple[float, int]]  # format, encoding → CPU seconds, bytes


def cpu_seconds(pid: int) -> float:
    """Of all threads of another process, in nanoseconds' resolution: its CLOCK_PROCESS_CPUTIME_ID."""
    return time.clock_gettime((~pid << 3) | 2)


class Page:
    """The /metrics of a process, read over one kept connection."""

    def __init__(self, pid: int, port: int) -> None:
        self._pid = pid
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._file = self._socket.makefile("rb", 1 << 20)
        self._last = 0

    def fetch(self, path: str, form: str = "text", encoding: str = "") -> bytes:
        head = f"GET {path} HTTP/1.1\r\nHost: bench\r\nAccept: {ACCEPTS[form]}\r\n"
        head += f"Accept-Encoding: {encoding or 'identity'}\r\nX-Prometheus-Scrape-Timeout-Seconds: 30\r\n\r\n"
        self._socket.sendall(head.encode())
        headers = b"".join(iter(self._file.readline, b"\r\n")).lower()
        assert headers.startswith(b"http/1.1 200"), headers
        length = re.search(rb"content-length: (\d+)", headers)
        if length:
            return bytes(self._file.read(int(length[1])))
        body = b""
        while size := int(self._file.readline(), 16):
            body += self._file.read(size)
            self._file.readline()
        self._file.readline()
        return body

    def scrape(self, form: str, encoding: str) -> tuple[float, int]:
        begin = cpu_seconds(self._pid)
        body = self.fetch("/metrics", form, encoding)
        spent = cpu_seconds(self._pid) - begin
        text = zlib.decompress(body, 31) if encoding else body
        assert text.count(b"\nscalpels_bench_seconds_") == SAMPLES, "not all samples came"
        now = hash(text)
        assert now != self._last, "nothing changed between two scrapes"
        self._last = now
        return spent, len(body)


@contextlib.contextmanager
def scalpels() -> Iterator[Scrape]:
    folder = Path(tempfile.mkdtemp(prefix="scalpels-bench-", dir="/run"))  # only root may write above a stem
    folder.chmod(0o755)
    tracers = folder / "tracers"
    tracers.mkdir(mode=0o755)
    shutil.copy(PEERS / "bench.py", tracers)
    (folder / "run").mkdir()
    (folder / "run").chmod(0o777)  # the agent makes its socket there when it is nobody any more
    off = "".join(f"  {name}: off\n" for name, chosen in load(None).tracers.items() if chosen.enabled)
    config = folder / "scalpels.yaml"
    config.write_text(f"tracer_folders: [{tracers}]\nbudgets: {{overhead: 1.0}}\ntracers:\n{off}  bench: {{}}\n")
    command = [sys.executable, "-m", "scalpels_exporter", "agent", f"--config.file={config}"]
    log = folder / "log"
    with log.open("wb") as file:
        flags = ["--web.listen-address=127.0.0.1:0", f"--web.socket={folder}/run/control"]
        agent = subprocess.Popen([*command, *flags], cwd=ROOT, stdout=file, stderr=file)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not (port := re.search(r"agent started.*127\.0\.0\.1:(\d+)", log.read_text())):
            assert agent.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        page = Page(agent.pid, int(port[1]))
        while page.fetch("/metrics").count(b"\nscalpels_bench_seconds_") != SAMPLES:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield page.scrape
    finally:
        agent.terminate()
        agent.wait(30)
        shutil.rmtree(folder)


@contextlib.contextmanager
def client_golang() -> Iterator[Scrape]:
    binary = ROOT / ".cache" / "promhttp"
    go = shutil.which("go") or "/usr/local/go/bin/go"
    subprocess.run([go, "build", "-o", binary, "."], cwd=PEERS / "promhttp", check=True)
    peer = subprocess.Popen([binary, str(SERIES)], stdout=subprocess.PIPE, text=True)
    try:
        assert peer.stdout is not None
        page = Page(peer.pid, int(peer.stdout.readline()))

        def scrape(form: str, encoding: str) -> tuple[float, int]:
            page.fetch("/change")
            return page.scrape(form, encoding)

        yield scrape
    finally:
        peer.terminate()
        peer.wait(30)


@contextlib.contextmanager
def client_python() -> Iterator[Scrape]:
    command = [sys.executable, "-m", "benchmarks.peers.client_python"]
    peer = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:

        def scrape(form: str, encoding: str) -> tuple[float, int]:
            assert peer.stdin is not None
            assert peer.stdout is not None
            print(form, encoding, file=peer.stdin, flush=True)
            seconds, size = peer.stdout.readline().split()
            return float(seconds), int(size)

        yield scrape
    finally:
        peer.terminate()
        peer.wait(30)


def main() -> None:
    parser = argparse.ArgumentParser(description="100,000 samples: CPU of intake, rendering and sending.")
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    peers = {"scalpels": scalpels, "client_golang": client_golang, "prometheus_client": client_python}
    times: dict[tuple[str, str, str], list[float]] = {}
    sizes: dict[tuple[str, str, str], int] = {}
    with contextlib.ExitStack() as running:
        scrapes = {name: running.enter_context(peer()) for name, peer in peers.items()}
        for number in range(rounds + 1):
            for form, encoding in WAYS:
                for name, scrape in scrapes.items():
                    spent, size = scrape(form, encoding)
                    sizes[name, form, encoding] = size
                    if number:  # the first round warms up
                        times.setdefault((name, form, encoding), []).append(spent)
    print(f"{SAMPLES} samples ({SERIES} histograms of 15 buckets), CPU ms, medians of {rounds} rounds")
    print(
        f"{'':20}" + "".join(f"{name:>20}" for name in peers) + f"{'golang/ours':>14}{'python/ours':>14}{'bytes':>14}"
    )
    for form, encoding in WAYS:
        medians = {name: 1000 * statistics.median(times[name, form, encoding]) for name in peers}
        ours = medians["scalpels"]
        row = f"{f'{form} {encoding}':20}" + "".join(f"{milliseconds:>20.1f}" for milliseconds in medians.values())
        row += f"{medians['client_golang'] / ours:>14.2f}{medians['prometheus_client'] / ours:>14.2f}"
        print(row + f"{sizes['scalpels', form, encoding]:>14}")


if __name__ == "__main__":
    main()
