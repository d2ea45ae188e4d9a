"""Configurations of agents under test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from running import QUIET


def worker_yaml(workers: Path, name: str, script: str, mode: str = "ticked", form: str = "samples") -> str:
    """A script tracer in YAML that runs one of the children of tests/workers."""
    return (
        f"  {name}:\n"
        f"    command: [/usr/bin/python3, -S, {workers}/{script}.py, {name}]\n"
        f"    format: {form}\n"
        f"    mode: {mode}\n"
        f"    metric: {{name: scalpels_{name}_events_total, type: counter, help: Events., labels: [kind]}}\n"
    )


@pytest.fixture
def quiet_with(workers: Path) -> Callable[..., str]:
    """A configuration of nothing but these children: name=script."""

    def make(**scripts: str) -> str:
        return QUIET + "".join(worker_yaml(workers, name, script) for name, script in scripts.items())

    return make
