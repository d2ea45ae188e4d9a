"""The tools of the chart, and what writes its generated files."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

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


@pytest.fixture(scope="session")
def generators() -> list[ModuleType]:
    """The scripts in tools/ that write files of the chart."""
    return [_loaded(ROOT / "tools" / f"{name}.py") for name in ("chart_tracers", "chart_values")]


def _loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
