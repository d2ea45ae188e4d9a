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
    assert "status" in outcome.told[-1], outcome.console


@pytest.mark.parametrize("package", KERNELS)
@pytest.mark.parametrize("name", TRACERS)
def test_a_tracer_loads_and_counts_under_it(booted: Boot, package: str, name: str) -> None:
    outcome = booted(package)
    told = {
        fact["test"].rpartition("::")[2]: fact["text"] or fact["outcome"] for fact in outcome.told if "test" in fact
    }
    assert {test: told.get(f"{test}[{name}]", outcome.console) for test in EXPECTED} == dict.fromkeys(
        EXPECTED, "passed"
    )


@pytest.mark.parametrize("package", KERNELS)
def test_nothing_that_ran_under_it_failed(booted: Boot, package: str) -> None:
    told = booted(package).told
    failures = {fact["test"]: fact["text"] for fact in told if fact.get("outcome", "passed") != "passed"}
    assert failures == {}
    assert told[-1] == {"status": 0}
