"""A built-in tracer with one parameter of each kind."""

from scalpels_exporter.declare import Counter, Generator, Parameter, Tracer

TRACER = Tracer(
    "syscalls",
    "System calls.",
    (Counter("scalpels_syscalls_errors_total", "Errors.", ("program", "syscall")),),
    Generator(),
    parameters=(
        Parameter(
            "calls", "texts", ("fsync", "futex"), "Which.", choices=("fsync", "futex", "connect", "read"), most=3
        ),
        Parameter("sample", "number", 1.0, "Share.", least=0.001, most=1),
        Parameter("slots", "integer", 1024, "Slots.", least=1, most=65536),
        Parameter("level", "text", "thread", "What is counted.", choices=("thread", "process")),
        Parameter("idle", "switch", False, "Count idle."),
        Parameter("every", "duration", 10.0, "How often.", least=1, most=3600),
        Parameter("match", "pattern", "", "Which files."),
    ),
    default=True,
)


def snapshots(context):
    yield []
