"""A real Prometheus for a test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from prometheus_server import Prometheus


@pytest.fixture
def start_prometheus(tmp_path: Path) -> Iterator[Callable[..., Prometheus]]:
    """Starts one that scrapes a target, with files of rules and flags if there are any; it is ended after the test."""
    if shutil.which("prometheus") is None:
        pytest.skip("needs Debian's package prometheus")
    started: list[Prometheus] = []

    def start(target: str, rules: Sequence[Path] = (), *flags: str) -> Prometheus:
        started.append(Prometheus(tmp_path, target, rules, *flags))
        return started[-1]

    yield start
    for prometheus in started:
        prometheus.close()
