"""What is generated of the Helm chart is current. What the real helms make of it is tests/deploy's."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent.parent


def loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["chart_tracers", "chart_values"])
def test_what_is_generated_is_current(name: str) -> None:
    for path, text in loaded(ROOT / "tools" / f"{name}.py").files().items():
        assert path.read_text() == text, f"{path.relative_to(ROOT)} is not current: make update"
