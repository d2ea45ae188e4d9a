"""A built-in tracer that is off by default and declares its own series budget."""

from scalpels_exporter.declare import Generator, Histogram, Tracer

TRACER = Tracer(
    "sched",
    "Waiting.",
    (Histogram("scalpels_sched_runqueue_seconds", "Wait.", ("program",), "seconds"),),
    Generator(),
    series=300,
)


def snapshots(context):
    yield []
