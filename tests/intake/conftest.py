"""A tracer with one metric of each kind, and short ways to feed an intake."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from scalpels_exporter.declare import (
    Command,
    Counter,
    Explicit,
    Exponential,
    Format,
    Gauge,
    Generator,
    Histogram,
    Metric,
    Samples,
    Tracer,
)
from scalpels_exporter.intake.intake import Intake

METRICS: tuple[Metric, ...] = (
    Counter("scalpels_try_bytes_total", "Bytes.", ("who", "how"), "bytes"),
    Gauge("scalpels_try_level", "Level.", ("who",)),
    Histogram("scalpels_try_seconds", "Seconds.", ("who",), "seconds", buckets=Exponential(-2, 2)),
    Histogram("scalpels_try_sizes_bytes", "Sizes.", ("who",), "bytes", buckets=Explicit((1.0, 10.0, 100.0))),
    Counter("scalpels_try_runs_total", "Runs."),
)
NOW = 1_700_000_000.0


@pytest.fixture
def build() -> Callable[..., Intake]:
    """`build(form=…, mode=…, metrics=…, budget=…)`; without a mode the worker is a generator."""

    def build(
        form: Format | None = None, mode: str = "", metrics: Sequence[Metric] = METRICS, budget: int = 100
    ) -> Intake:
        form = form or Samples()
        runs = Command(("it",), form, mode) if mode else Generator(format=form)
        return Intake(Tracer("try", "Tried.", tuple(metrics), runs), budget, lambda: NOW)

    return build


@pytest.fixture
def wire() -> Callable[..., bytes]:
    """Samples as JSON lines, closed by the end object."""

    def wire(*samples: Any, end: bool = True, **more: Any) -> bytes:
        lines = [json.dumps(sample) for sample in samples]
        if end:
            lines.append(json.dumps({"end": True, **more}))
        return "".join(line + "\n" for line in lines).encode()

    return wire


@pytest.fixture
def recorded() -> Callable[[str], bytes]:
    """What a real tool printed."""
    return lambda name: (Path(__file__).parent / "recorded" / name).read_bytes()
