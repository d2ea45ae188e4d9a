"""promtool's tests of rules, run from Python: it says what fired and when, and what a query gives."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from running import ROOT

RULES = ROOT / "dashboards" / "rules"


def needed() -> None:
    """Skips where there is no promtool."""
    if shutil.which("promtool") is None:
        pytest.skip("needs promtool, of Debian's package prometheus")


def run(folder: Path, rules: str, groups: Collection[str], tests: Sequence[dict[str, Any]], every: str) -> str:
    """What promtool has to complain of; "" when all tests pass.

    Of the file `rules` the groups whose names end in one of `groups`: a simulation of weeks evaluates each rule for
    each of its moments.
    """
    needed()
    some, file = folder / "rules.yaml", folder / "test.yaml"
    whole = yaml.load((RULES / f"{rules}.yaml").read_text(), Loader=yaml.CSafeLoader)
    chosen = [group for group in whole["groups"] if group["name"].endswith(tuple(groups))]
    assert chosen
    some.write_text(yaml.dump({"groups": chosen}, Dumper=yaml.CSafeDumper))
    content = {
        "rule_files": [str(some)],
        "evaluation_interval": every,
        "tests": list(tests),
    }
    file.write_text(yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False, width=1 << 30))
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, timeout=300)
    return "" if done.returncode == 0 else done.stdout + done.stderr
