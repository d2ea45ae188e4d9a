"""The tools of the chart."""

from __future__ import annotations

from pathlib import Path

import pytest
from rendering import tools


@pytest.fixture(scope="session")
def chart_tools() -> Path:
    """The folder with helm-3, helm-4 and helm-unittest-1."""
    return tools()


@pytest.fixture(scope="session", params=["helm-3", "helm-4"])
def helm(request: pytest.FixtureRequest, chart_tools: Path) -> Path:
    path = chart_tools / str(request.param)
    if not path.exists():
        pytest.skip(f"tools/chart_tools.sh could not get {path.name}")
    return path
