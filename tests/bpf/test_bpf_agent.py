"""A tracer with a kernel program, driven through the real agent."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from running import QUIET, ROOT, RunningAgent, processes_of

from scalpels_exporter.capabilities import capabilities_of

# Reads a line, touches that many fresh pages, and says so.
TOUCHING = """
import mmap, sys
print("ready", flush=True)
for line in sys.stdin:
    pages = int(line)
    with mmap.mmap(-1, pages * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        if hasattr(mmap, "MADV_NOHUGEPAGE"):
            memory.madvise(mmap.MADV_NOHUGEPAGE)
        for page in range(pages):
            memory[page * mmap.PAGESIZE] = 1
    print(pages, flush=True)
"""


def settings(folder: Path) -> str:
    rules = "programs:\n  - {name: toucher, cmdline: mark-of-the-toucher}\n"
    return f"tracer_folders: [{folder}]\n{rules}{QUIET}  faults: {{}}\n"


def counted(agent: RunningAgent) -> float | None:
    return agent.value("scalpels_faults_total", program="toucher")


@pytest.mark.root
def test_a_contributors_tracer_counts_page_faults_of_a_program(
    bcc: None, start_agent: Callable[..., RunningAgent], tracer_folder: Path, until: Callable[..., object]
) -> None:
    agent = start_agent(settings(tracer_folder))
    until(lambda: agent.value("scalpels_worker_up", tracer="faults") == 1, 30, "faults is up")
    with subprocess.Popen(
        [sys.executable, "-c", TOUCHING, "mark-of-the-toucher"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        until(lambda: agent.value("scalpels_programs_processes", program="toucher") == 1, 10, "the child has its name")
        assert child.stdout.readline() == "ready\n"
        before = counted(agent) or 0
        child.stdin.write("5000\n")
        child.stdin.flush()
        assert child.stdout.readline() == "5000\n"
        assert 5000 <= (counted(agent) or 0) - before < 5100
        child.stdin.close()
    until(lambda: agent.value("scalpels_programs_processes", program="toucher") == 0, 10, "its end was seen")
    # Estimated: from one second in ten.
    until(lambda: agent.value("scalpels_tracer_probe_runs_total", tracer="faults"), 20, "its cost is known")
    assert 0 < (agent.value("scalpels_tracer_probe_seconds_total", tracer="faults") or 0) < 1


def worker(agent: RunningAgent, tracer: str) -> int:
    [pid] = [pid for pid in processes_of(agent.pid) if Path(f"/proc/{pid}/comm").read_text() == f"sc:{tracer}\n"]
    return pid


@pytest.mark.root
def test_what_stays_after_loading_has_no_compiler_in_memory_and_next_to_no_privilege(
    bcc: None, start_agent: Callable[..., RunningAgent], tracer_folder: Path, until: Callable[..., object]
) -> None:
    agent = start_agent(settings(tracer_folder))
    for name in ("faults", "programs"):
        until(lambda name=name: agent.tracer(name)["state"] == "running", 30, f"{name} runs")
        pid = worker(agent, name)
        assert processes_of(pid) == [pid]
        mapped = Path(f"/proc/{pid}/maps").read_text()
        assert "libbcc" not in mapped
        assert "LLVM" not in mapped
        kept = capabilities_of(pid) - {"CAP_BPF"}  # which kernels before 5.19 want for reading maps
        assert kept == ({"CAP_SYS_PTRACE"} if name == "programs" else set())


@pytest.mark.root
def test_once_runs_a_kernel_tracer_without_an_agent(bcc: None, tracer_folder: Path) -> None:
    config = tracer_folder / "scalpels.yaml"
    config.write_text(settings(tracer_folder))
    done = subprocess.run(
        [sys.executable, "-m", "scalpels_exporter", "once", "faults", f"--config.file={config}"],
        capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 'scalpels_faults_total{program="scalpels"}' in done.stdout


@pytest.mark.root
def test_raw_tracepoints_run_and_optional_ones_that_are_not_there_are_left_out(
    bcc: None, start_agent: Callable[..., RunningAgent], tracer_folder: Path, until: Callable[..., object]
) -> None:
    stem = tracer_folder / "faults.py"
    probes = 'RawTracepoint("page_fault_user", "on_fault"), Tracepoint("exceptions", "gone", "on_gone", optional=True)'
    text = stem.read_text().replace('Tracepoint("exceptions", "page_fault_user", "on_fault"),', probes)
    stem.write_text(text.replace("import Bpf,", "import Bpf, RawTracepoint,"))
    with (tracer_folder / "faults.bpf.c").open("a") as source:
        source.write("\nint on_gone(void *ctx)\n{\n    return 0;\n}\n")
    agent = start_agent(settings(tracer_folder))
    until(lambda: (agent.value("scalpels_faults_total", program="scalpels") or 0) > 0, 30, "faults are counted")
    assert "this kernel has no tracepoint exceptions:gone" in agent.log.read_text()


@pytest.mark.root
def test_a_process_in_a_pid_namespace_of_its_own_is_named_and_counted(
    bcc: None, start_agent: Callable[..., RunningAgent], tracer_folder: Path, until: Callable[..., object]
) -> None:
    agent = start_agent(settings(tracer_folder))
    until(lambda: agent.tracer("faults")["state"] == "running", 30, "it runs")
    inside = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", sys.executable, "-c", TOUCHING]
    with subprocess.Popen(
        [*inside, "mark-of-the-toucher"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        until(lambda: (agent.value("scalpels_programs_processes", program="toucher") or 0) >= 1, 10, "it has its name")
        before = counted(agent) or 0
        child.stdin.write("3000\n")
        child.stdin.flush()
        assert child.stdout.readline() == "3000\n"
        assert (counted(agent) or 0) - before >= 3000
        child.stdin.close()
