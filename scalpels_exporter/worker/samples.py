"""Writes a generator's snapshot on stdout in the format `samples`. The other side is `intake.samples`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

import orjson

from scalpels_exporter.declare import Counts, Sample

# numpy is not needed by any tracer; sequences other than list and tuple are made lists by `_plain`.
_OPTIONS = orjson.OPT_APPEND_NEWLINE


def encode(
    samples: Iterable[Sample],
    lost: Mapping[str, int] | None = None,
    probe: tuple[float, int] | None = None,
    fill: Mapping[str, float] | None = None,
) -> bytes:
    """One line a sample, closed by the end line. Raises TypeError for a value that is no number and no Counts.

    `probe` is the run time in seconds and the runs of kernel programs, `fill` the used share of their maps.
    """
    lines = [_line(sample) for sample in samples]
    end: dict[str, object] = {"end": True}
    if lost:
        end["lost"] = lost
    if probe:
        end["probe_seconds"], end["probe_runs"] = probe
    if fill:
        end["fill"] = fill
    lines.append(orjson.dumps(end, option=_OPTIONS))
    return b"".join(lines)


def _line(sample: Sample) -> bytes:
    try:
        return orjson.dumps(sample, default=_plain, option=_OPTIONS)
    except TypeError:
        raise TypeError(f"not a sample: {sample!r:.200}") from None


def _plain(value: object) -> object:
    if isinstance(value, Counts):
        return {"sum": value.sum, "first": value.first, "zero": value.zero, "counts": list(value.counts)}
    raise TypeError


def write(descriptor: int, data: bytes) -> None:
    """All of it, also when the pipe takes only a part at a time."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
