"""Page faults by program, as a new contributor would write it: a declaration, a page of C, no Python."""

from scalpels_exporter.declare import Bpf, Count, Counter, Field, Table, Tracepoint, Tracer

TRACER = Tracer(
    name="faults",
    help="Page faults of programs in their own memory.",
    metrics=(Counter("scalpels_faults_total", "Page faults in user memory.", ("program",)),),
    runs=Bpf(
        probes=(Tracepoint("exceptions", "page_fault_user", "on_fault"),),
        tables=(Table("faults", (Field("program", "I", "program"),), (Count("scalpels_faults_total"),)),),
    ),
)
