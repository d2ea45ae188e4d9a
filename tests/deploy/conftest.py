"""The tools of the chart."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from rendering import ROOT


@pytest.fixture(scope="session")
def chart_tools() -> Path:
    """The folder with helm-3, helm-4 and helm-unittest-1; fetched once for a machine."""
    done = subprocess.run([ROOT / "tools" / "chart_tools.sh"], capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture(scope="session", params=["helm-3", "helm-4"])
def helm(request: pytest.FixtureRequest, chart_tools: Path) -> Path:
    path = chart_tools / str(request.param)
    if not path.exists():
        pytest.skip(f"tools/chart_tools.sh could not get {path.name}")
    return path
