"""Snapshots → the pieces of one exposition. Compression and the choice of the format are others' work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from scalpels_exporter.declare import Metric, Tracer
from scalpels_exporter.exposition.negotiate import OPENMETRICS
from scalpels_exporter.exposition.numerals import escape_help_text, escape_label
from scalpels_exporter.exposition.template import HistogramLines, NumberLines, lines_of
from scalpels_exporter.intake.snapshot import Snapshot

PIECE_BYTES = 128 << 10
END = b"# EOF\n"


@dataclass(slots=True)
class Rendered:
    """What is kept of one tracer: the lines of its last snapshot, and the templates that will make the next."""

    tracer: Tracer
    writers: tuple[NumberLines | HistogramLines, ...]
    snapshot: Snapshot | None = None
    bodies: tuple[tuple[bytes, ...], ...] = ()  # the pieces of each metric, in declared order


class Renderer:
    """Renders each snapshot once, however many scrapers ask for it, in whichever format."""

    def __init__(self) -> None:
        self._tracers: dict[str, Rendered] = {}

    def render(self, snapshots: Sequence[Snapshot], own: bytes | CollectorRegistry, form: str) -> list[bytes]:
        """The exposition in TEXT or OPENMETRICS, in pieces of bounded size.

        `own` are the agent's own metrics: a registry, or what `render_own` made of it for this format.
        """
        present = {snapshot.tracer.name for snapshot in snapshots}
        for vanished in self._tracers.keys() - present:
            del self._tracers[vanished]
        parts: list[bytes] = []
        for snapshot in snapshots:
            rendered = self._rendered(snapshot)
            for metric, body in zip(rendered.tracer.metrics, rendered.bodies, strict=True):
                parts += (header(metric, form), *body)
        parts.append(own if isinstance(own, bytes) else render_own(own, form))
        if form == OPENMETRICS:
            parts.append(END)
        return list(_gather(parts))

    def _rendered(self, snapshot: Snapshot) -> Rendered:
        tracer = snapshot.tracer
        known = self._tracers.get(tracer.name)
        if known is None or known.tracer is not tracer:
            known = self._tracers[tracer.name] = Rendered(tracer, tuple(lines_of(m) for m in tracer.metrics))
        if known.snapshot is not snapshot:
            families = snapshot.families
            known.bodies = tuple(
                tuple(_gather(writer.render(families.get(metric.name, {}))))
                for metric, writer in zip(tracer.metrics, known.writers, strict=True)
            )
            known.snapshot = snapshot
        return known


def header(metric: Metric, form: str) -> bytes:
    """HELP, TYPE and, in OpenMetrics, UNIT of a family; they are there even when it has no series."""
    if form != OPENMETRICS:
        return f"# HELP {metric.name} {escape_help_text(metric.help)}\n# TYPE {metric.name} {metric.kind}\n".encode()
    name = metric.name.removesuffix("_total") if metric.kind == "counter" else metric.name
    unit = f"# UNIT {name} {metric.unit}\n" if metric.unit and name.endswith(f"_{metric.unit}") else ""
    return f"# HELP {name} {escape_label(metric.help)}\n# TYPE {name} {metric.kind}\n{unit}".encode()


def render_own(registry: CollectorRegistry, form: str) -> bytes:
    """The agent's own metrics, rendered by prometheus_client, without the end of OpenMetrics."""
    if form == OPENMETRICS:
        text: bytes = generate_openmetrics(registry)  # type: ignore[no-untyped-call]
        return text.removesuffix(END)
    return generate_latest(registry)


def _gather(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Small parts joined and large ones cut, so that a slow reader and the compressor meet pieces of one order."""
    small: list[bytes] = []
    size = 0
    for part in parts:
        length = len(part)
        if small and size + length > PIECE_BYTES:
            yield b"".join(small)
            small, size = [], 0
        if length > PIECE_BYTES:
            yield from (part[begin : begin + PIECE_BYTES] for begin in range(0, length, PIECE_BYTES))
        else:
            small.append(part)
            size += length
    if small:
        yield b"".join(small)
