"""Other releases of what loads use than .venv's, each in an environment of its own: tools/debian_oslo.sh makes it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "debian_oslo.sh"


def debian_python() -> Path:
    """The Python that has Debian 12's oslo.messaging; skips the test where there is none."""
    told = subprocess.run([SCRIPT, "where"], capture_output=True, text=True, check=True, env=dict(os.environ))
    python = Path(told.stdout.strip()) / "bin" / "python"
    if not python.exists():
        pytest.skip("needs Debian 12's oslo.messaging (tools/setup.sh test)")
    return python
