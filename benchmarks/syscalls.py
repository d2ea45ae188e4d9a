"""What the tracers `syscalls` and `fs` add to a system call, beside the syscount of libbpf-tools and bcc and bpftrace.

    .venv/bin/python -m benchmarks.syscalls [--rounds 15] [--calls 100000]

CPU nanoseconds added to one call of a pinned loop: paired within alternating rounds with the same loop without any
tracer, then medians. `getppid` is a call that no tracer of ours asks for; `bystander` is a process that no rule names.
Ours is the real agent with one tracer on, as it is installed; syscount counts, with -L it times too, with -p it looks
for a process that is not the loop. Needs root and cc; peers that are not installed are left out. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import requests

from scalpels_exporter.config.load import load

ROOT = Path(__file__).parent.parent
KINDS = ("getppid", "pread", "write")
NAMED, BYSTANDER = "mark-of-the-named", "mark-of-the-bystander"
RULE = f"programs:\n  - {{name: named, cmdline: {NAMED}}}\n"
WAIT_SECONDS = 30.0
PEER_END_SECONDS = 5.0
ACCOUNTED_SECONDS = 1.2  # after a start the kernel counts run time, which is dear; then one second in ten
SETTLE_SECONDS = (5.0, 1.0)  # until a peer is on: what is compiled first, what is ready
PEERS = {
    "libbpf-tools syscount": ["syscount", "-i", "3600"],
    "libbpf-tools syscount -L": ["syscount", "-L", "-i", "3600"],
    "libbpf-tools syscount -p MISS": ["syscount", "-p", "1", "-i", "3600"],
    "libbpf-tools syscount -L -p MISS": ["syscount", "-L", "-p", "1", "-i", "3600"],
    "bcc syscount": ["syscount-bpfcc", "-i", "3600"],
    "bcc syscount -L": ["syscount-bpfcc", "-L", "-i", "3600"],
    "bpftrace, count by comm": ["bpftrace", "-e", "tracepoint:raw_syscalls:sys_enter { @[comm] = count(); }"],
}
# Peers look for tracepoints in tracefs and debugfs, which not every machine has mounted: they are, for the peer alone.
MOUNTED = (
    "mount -t tracefs tracefs /sys/kernel/tracing; mount -t debugfs debugfs /sys/kernel/debug; "
    'PATH=$PATH:/usr/sbin:/sbin exec "$@"'
)
RULER = "libbpf-tools syscount -L"

On = Callable[[], contextlib.AbstractContextManager[None]]


class Loop:
    """A process that makes calls; `mark` stands in its command line."""

    def __init__(self, binary: Path, cpu: int, file: Path, mark: str) -> None:
        command = [str(binary), str(cpu), str(file), mark]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def nanoseconds(self, kind: str, calls: int) -> float:
        """Of CPU time for one call."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{kind} {calls}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {WAIT_SECONDS} s: {what}"
        time.sleep(0.05)


class Agent:
    """The real agent; its tracers are off until one is wanted."""

    def __init__(self, folder: Path) -> None:
        off = "".join(f"  {name}: off\n" for name, x in load(None).tracers.items() if x.enabled and name != "programs")
        wanted = "  syscalls: {calls: [pread64, pwrite64]}\n"
        tracers = re.sub(r"  syscalls: off\n", "", off) + wanted
        (folder / "scalpels.yaml").write_text(f"{RULE}tracers:\n{tracers}")
        run = folder / "run"  # the agent gives root up before it listens
        for open_one, mode in ((folder, 0o755), (run, 0o777)):
            open_one.mkdir(exist_ok=True)
            open_one.chmod(mode)
        words = ["agent", f"--config.file={folder}/scalpels.yaml", "--web.listen-address=127.0.0.1:0"]
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "scalpels_exporter", *words, f"--web.socket={run}/socket"],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
        until(lambda: re.search(r"agent started|level=error", self._log.read_text()), "the agent starts")
        assert "agent started" in self._log.read_text(), self._log.read_text()
        found = re.search(r"127\.0\.0\.1:(\d+)", self._log.read_text())
        assert found is not None
        self._url = f"http://127.0.0.1:{found[1]}"
        self._set("syscalls", "stop")

    def _set(self, tracer: str, verb: str) -> None:
        requests.post(f"{self._url}/api/v1/tracers/{tracer}/{verb}", json={}, timeout=30).raise_for_status()

    def _shows(self, pattern: str) -> bool:
        return re.search(pattern, requests.get(f"{self._url}/metrics", timeout=30).text, re.MULTILINE) is not None

    def tracing(self, tracer: str, loop: Loop) -> On:
        @contextlib.contextmanager
        def on() -> Iterator[None]:
            self._set(tracer, "start")
            until(
                lambda: self._shows(r'^scalpels_programs_processes{program="named"} 1(\.0)?$'), "the loop has its name"
            )
            up = f'^scalpels_worker_up{{tracer="{tracer}"}} 1(\\.0)?$'
            until(lambda: self._shows(up), f"{tracer} is on")
            series = f'^scalpels_{tracer}_seconds_count{{.*program="named"'
            until(lambda: loop.nanoseconds("pread", 100) and self._shows(series), f"{tracer} counts")
            time.sleep(ACCOUNTED_SECONDS)
            yield
            self._set(tracer, "stop")
            off = f'^scalpels_tracer_state{{state="stopped",tracer="{tracer}"}} 1(\\.0)?$'
            until(lambda: self._shows(off), f"{tracer} is off")  # its probes too: they end with its worker

        return on

    def close(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(WAIT_SECONDS)


def headers(folder: Path) -> None:
    """Tells bcc's own tools of installed headers: they look for those of the running kernel alone."""
    found = sorted(Path("/usr/src").glob("linux-headers-*-common"))
    if not found or Path(f"/lib/modules/{os.uname().release}/build").exists():
        return
    stem = str(found[-1]).removesuffix("-common")
    own = [x for x in sorted(Path("/usr/src").glob(f"{Path(stem).name}-*")) if x != found[-1]]
    for part in (found[-1], *own[:1]):
        for tree in ("include", "arch"):
            subprocess.run(["cp", "-rsf", part / tree, folder], check=True)
    os.environ["BCC_KERNEL_SOURCE"] = str(folder)


def peer(command: list[str]) -> On:
    @contextlib.contextmanager
    def on() -> Iterator[None]:
        with subprocess.Popen(
            ["unshare", "-m", "sh", "-c", MOUNTED, "sh", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            time.sleep(SETTLE_SECONDS[command[0] == "syscount"])
            assert process.poll() is None, f"{' '.join(command)} ended"
            yield
            process.send_signal(signal.SIGINT)
            try:
                process.wait(PEER_END_SECONDS)
            except subprocess.TimeoutExpired:  # bcc's tools sometimes miss it
                process.kill()

    return on


def measured(loop: Loop, calls: int) -> dict[str, float]:
    return {kind: statistics.median(loop.nanoseconds(kind, calls // 3) for _ in range(3)) for kind in KINDS}


def contenders(agent: Agent, named: Loop, bystander: Loop) -> dict[str, tuple[Loop, On]]:
    found: dict[str, tuple[Loop, On]] = {}
    for tracer in ("syscalls", "fs"):
        found[f"{tracer}, traced"] = (named, agent.tracing(tracer, named))
        found[f"{tracer}, bystander"] = (bystander, agent.tracing(tracer, named))
    for name, command in PEERS.items():
        if shutil.which(command[0], path=f"{os.environ['PATH']}:/usr/sbin:/sbin"):
            found[name] = (bystander, peer(command))
    return found


def table(rest: dict[str, list[float]], added: dict[str, dict[str, list[float]]]) -> None:
    ruler = {kind: statistics.median(added[RULER][kind]) for kind in KINDS} if RULER in added else {}
    print(f"{'ns':34} {'getppid':>8} {'pread':>8} {'write':>8}   × syscount -L: pread write")
    print(f"{'without any tracer':34} " + " ".join(f"{statistics.median(rest[kind]):8.0f}" for kind in KINDS))
    for name, kinds in added.items():
        medians = {kind: statistics.median(kinds[kind]) for kind in KINDS}
        ratios = " ".join(f"{medians[kind] / ruler[kind]:5.2f}" for kind in KINDS[1:]) if ruler else ""
        print(f"{'+ ' + name:34} " + " ".join(f"{medians[kind]:8.0f}" for kind in KINDS) + f"{'':17}{ratios}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=100_000)
    chosen = parser.parse_args()
    rest: dict[str, list[float]] = {kind: [] for kind in KINDS}
    added: dict[str, dict[str, list[float]]] = {}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm")))
        subprocess.run(["cc", "-O2", "-o", folder / "calls", ROOT / "benchmarks/peers/calls.c"], check=True)
        merged = folder / "headers"
        merged.mkdir()
        headers(merged)
        cpu = max(os.sched_getaffinity(0))
        loops = [Loop(folder / "calls", cpu, folder / "file", mark) for mark in (NAMED, BYSTANDER)]
        agent = Agent(folder)
        for loop in loops:
            stack.callback(loop.close)
        stack.callback(agent.close)
        every = contenders(agent, *loops)
        for _ in range(chosen.rounds):
            for name, (loop, on) in every.items():
                without = measured(loop, chosen.calls)
                with on():
                    within = measured(loop, chosen.calls)
                for kind in KINDS:
                    rest[kind].append(without[kind])
                    added.setdefault(name, {k: [] for k in KINDS})[kind].append(within[kind] - without[kind])
    print(f"CPU time added to a call; {chosen.rounds} rounds of {chosen.calls} calls, medians\n")
    table(rest, added)


if __name__ == "__main__":
    main()
