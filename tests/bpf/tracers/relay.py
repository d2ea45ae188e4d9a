"""Calls of getppid, and a host: whoever lives in its worker gets each of them passed on."""

from scalpels_exporter.declare import Bpf, Count, Counter, Field, Table, Tracepoint, Tracer

TRACER = Tracer(
    name="relay",
    help="Calls of getppid, passed on to others.",
    metrics=(Counter("scalpels_relay_calls_total", "Calls of getppid.", ("program",)),),
    runs=Bpf(
        probes=(Tracepoint("syscalls", "sys_exit_getppid", "on_getppid"),),
        tables=(Table("relayed", (Field("program", "I", "program"),), (Count("scalpels_relay_calls_total"),)),),
        calls="parsers",
        programs=("nobody",),
        lost=("unclaimed",),
    ),
)
