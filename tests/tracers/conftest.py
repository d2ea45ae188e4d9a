"""How every tracer's test gets at its stem, and runs a script tracer as a worker would."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

TRACERS = Path(__file__).parents[2] / "tracers"


def load_stem(name: str) -> ModuleType:
    """The module of a tracer's stem."""
    spec = importlib.util.spec_from_file_location(f"stem_{name}", TRACERS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(name="stem", scope="session")
def stem_fixture() -> Callable[[str], ModuleType]:
    return load_stem
