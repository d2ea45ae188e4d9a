"""Every kernel program of every built-in tracer loads and counts under other kernels than the one that runs here.

Each kernel boots on the host's own root and runs the tests of `inside`; here is what they told.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kernel_list import KERNELS
from machine import Outcome

from scalpels_exporter.catalog import find
from scalpels_exporter.declare import Bpf

TRACERS = sorted(name for name, found in find().items() if isinstance(found.tracer.runs, Bpf))
EXPECTED = (
    "test_it_attaches_every_probe_of_its_defaults_and_shows_its_metrics",
    "test_it_counts_exactly_what_a_process_did",
)
Boot = Callable[[str], Outcome]


@pytest.mark.parametrize("package", KERNELS)
def test_the_guest_runs_the_kernel_of_the_package_to_the_end(booted: Boot, package: str) -> None:
    outcome = booted(package)
    assert outcome.told, outcome.console
    assert outcome.told[0] == {"kernel": outcome.image.removeprefix("vmlinuz-")}
    assert outcome.told[-1].get("status") in (0, 1), outcome.console  # 1: a test failed, which others show


@pytest.mark.parametrize("package", KERNELS)
@pytest.mark.parametrize("name", TRACERS)
def test_a_tracer_loads_and_counts_under_it(booted: Boot, package: str, name: str) -> None:
    outcome = booted(package)
    told = {fact["test"].rpartition("::")[2]: fact for fact in outcome.told if "test" in fact}
    for test in EXPECTED:
        fact = told.get(f"{test}[{name}]")
        if fact is None:
            pytest.fail(f"{test} has told nothing:\n{outcome.console}")
        if fact["outcome"] != "passed":
            pytest.fail(f"{test}:\n{fact['text']}")


@pytest.mark.parametrize("package", KERNELS)
def test_nothing_else_that_ran_under_it_failed(booted: Boot, package: str) -> None:
    told = booted(package).told
    ours = tuple(f"::{test}[{name}]" for test in EXPECTED for name in TRACERS)
    failed = [fact for fact in told if fact.get("outcome", "passed") != "passed" and not fact["test"].endswith(ours)]
    if failed:
        pytest.fail("\n".join(f"{fact['test']}:\n{fact['text']}" for fact in failed))
