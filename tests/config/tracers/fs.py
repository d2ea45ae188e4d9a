"""A built-in tracer without parameters, on by default."""

from scalpels_exporter.declare import Gauge, Tracer
from scalpels_exporter.declare import Generator as Runs

TRACER = Tracer("fs", "Files.", (Gauge("scalpels_fs_files", "Files."),), Runs(), default=True)


def snapshots(context):
    yield []
