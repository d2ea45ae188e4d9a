"""The tracer in CONTRIBUTING.md is the one that the tests of this folder run."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize("file", ["faults.py", "faults.bpf.c"])
def test_the_tracer_in_contributing_is_the_one_that_is_tested(file: str) -> None:
    assert (HERE / "tracers" / file).read_text() in (HERE.parents[1] / "CONTRIBUTING.md").read_text()
