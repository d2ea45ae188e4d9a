"""What each program takes of the machine: processor time, memory, threads, descriptors, storage, from /proc alone.

What cannot be seen without it: which service the machine works for, with its short-lived children counted in.
`programs.census` reads and sums up; here stands what is exported of it, and from which file of /proc/PID it comes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from math import inf
from pathlib import Path

from scalpels_exporter.declare import Context, Counter, Gauge, Generator, Needs, Parameter, Sample, Tracer, Unsupported
from scalpels_exporter.programs.census import Census, Program
from scalpels_exporter.programs.process import Process

TRACER = Tracer(
    name="program",
    help="Processor time, memory, threads, descriptors and storage traffic of each program.",
    metrics=(
        Counter(
            "scalpels_program_cpu_seconds_total",
            "Processor time, to one clock tick (10 ms) a process. A child that lived and died between two ticks counts "
            "as its parent's program, once the parent has waited for it.",
            ("program", "mode"),
            "seconds",
        ),
        Gauge("scalpels_program_processes", "Processes alive, zombies included.", ("program",)),
        Gauge("scalpels_program_threads", "Threads alive.", ("program",)),
        Gauge(
            "scalpels_program_resident_memory_bytes",
            "Sum of resident sets: a page that two processes share counts twice.",
            ("program",),
            "bytes",
        ),
        Gauge(
            "scalpels_program_proportional_memory_bytes",
            "Sum of proportional set sizes: a page that n processes share counts 1/n in each. Dear to read, so each "
            "process is measured when first seen and then once per `pss_every`.",
            ("program",),
            "bytes",
        ),
        Gauge("scalpels_program_open_fds", "File descriptors open.", ("program",)),
        Counter(
            "scalpels_program_context_switches_total",
            "Context switches of the threads seen alive; what a thread does after the last tick of its life, and "
            "kernel threads, are not counted.",
            ("program", "kind"),
        ),
        Counter(
            "scalpels_program_page_faults_total",
            "Page faults; a major one had to wait for storage. Dead children as with processor time.",
            ("program", "kind"),
        ),
        Counter(
            "scalpels_program_read_bytes_total",
            "Bytes that had to be fetched from storage; those found in the page cache are not in it.",
            ("program",),
            "bytes",
        ),
        Counter(
            "scalpels_program_written_bytes_total",
            "Bytes sent to storage, counted when a page becomes dirty.",
            ("program",),
            "bytes",
        ),
        Gauge(
            "scalpels_program_start_time_seconds",
            "Unix time at which the oldest living process started.",
            ("program",),
            "seconds",
        ),
        Gauge(
            "scalpels_program_unreadable_processes",
            "Processes that are missing in what comes from this file of /proc/PID, for want of privilege.",
            ("file",),
            series=3,
        ),
    ),
    runs=Generator("snapshots"),
    parameters=(
        Parameter("pss_every", "duration", 60.0, "The greatest age of a proportional set size.", least=0),
        Parameter(
            "threads",
            "integer",
            500,
            "Threads, beyond each process's first, whose context switches one tick reads; processes take turns.",
            least=1,
        ),
        Parameter(
            "from_birth",
            "switch",
            False,
            "Processes that ran before the tracer count with all they did since their birth. Off: they begin at 0, so "
            "that a restart of the agent makes no step in rate().",
        ),
    ),
    # Tried with setpriv on 6.18: smaps_rollup needs SYS_PTRACE; io needs both, its mode being 0400; listing fd needs
    # DAC_READ_SEARCH, on kernels before 6.2 alone (`count_fds`). stat and status need neither.
    needs=Needs(capabilities=("CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH")),
    default=True,
    overhead="26 ms of CPU a tick for 413 processes, a sixth of process-exporter's (benchmarks/program.py).",
    picture="scalpels_program_cpu_seconds_total",
)

HERTZ = os.sysconf("SC_CLK_TCK")


def snapshots(context: Context) -> Iterator[Sequence[Sample]]:
    """The state of every program, once a tick, for ever."""
    chosen = context.parameters
    booted = boot_time(context.proc)

    def name(process: Process) -> str:
        if context.program_of is None:
            return context.program(process.pid)
        return context.program_of(process.pid, process.start, process.comm, process.image)

    census = Census(context.proc, name, from_birth=chosen["from_birth"])
    while True:
        census.tick(time.monotonic(), chosen["threads"], chosen["pss_every"])
        yield [*unreadable(census), *(s for name, p in census.programs.items() for s in samples(name, p, booted))]


def samples(name: str, program: Program, booted: float) -> Iterator[Sample]:
    """One program. What none of its processes ever let us read is left out, not 0."""
    user, system, minor, major, read, written = program.sums
    yield "scalpels_program_cpu_seconds_total", (name, "user"), user / HERTZ
    yield "scalpels_program_cpu_seconds_total", (name, "system"), system / HERTZ
    yield "scalpels_program_page_faults_total", (name, "minor"), minor
    yield "scalpels_program_page_faults_total", (name, "major"), major
    yield "scalpels_program_processes", (name,), program.processes
    yield "scalpels_program_threads", (name,), program.threads
    if program.oldest < inf:
        yield "scalpels_program_start_time_seconds", (name,), booted + program.oldest / HERTZ
    if "status" in program.readable:
        yield "scalpels_program_resident_memory_bytes", (name,), program.resident
        yield "scalpels_program_context_switches_total", (name, "voluntary"), program.switches[0]
        yield "scalpels_program_context_switches_total", (name, "involuntary"), program.switches[1]
    if "io" in program.readable:
        yield "scalpels_program_read_bytes_total", (name,), read
        yield "scalpels_program_written_bytes_total", (name,), written
    if "fd" in program.readable:
        yield "scalpels_program_open_fds", (name,), program.fds
    if "smaps_rollup" in program.readable:
        yield "scalpels_program_proportional_memory_bytes", (name,), program.pss


def unreadable(census: Census) -> Iterator[Sample]:
    for file in ("io", "fd", "smaps_rollup"):
        count = sum(file in process.denied for process in census.known.values())
        yield "scalpels_program_unreadable_processes", (file,), count


def boot_time(proc: str) -> float:
    """Unix time. Raises Unsupported where /proc/stat does not tell it."""
    try:
        for line in Path(proc, "stat").read_text().splitlines():
            if line.startswith("btime "):
                return float(line.split()[1])
    except OSError as error:
        raise Unsupported(f"{proc}/stat: {error.strerror}") from None
    raise Unsupported(f"{proc}/stat has no btime")
