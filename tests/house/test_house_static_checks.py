"""The four static checks as tests, so that the closing line of `make test` speaks for them too.

`make check` runs the same commands by themselves and leaves this file out.
"""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("check", ["format", "lint", "types", "imports"])
def test_a_static_check_finds_nothing(check: str) -> None:
    done = subprocess.run(
        [ROOT / "tools" / "owner.sh", ROOT / "tools" / "check.sh", check], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, f"tools/check.sh {check}:\n{done.stdout}{done.stderr}"
