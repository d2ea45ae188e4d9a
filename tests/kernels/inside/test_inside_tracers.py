"""Every tracer with kernel programs under the kernel that runs: the real command, then the real agent with all of them.

Run by the host for guests (begin.py), and for the host's own kernel too.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from at_work import do
from cases import TRACERS, Key, counts, doing, left_out, program_of
from running import ROOT, RunningAgent
from verifier import verified

from scalpels_exporter.bpf.loader import names
from scalpels_exporter.declare import Bpf

pytestmark = [pytest.mark.root, pytest.mark.parametrize("name", TRACERS)]
PATIENT = {"X-Prometheus-Scrape-Timeout-Seconds": "10"}  # an emulated worker answers late


def test_it_attaches_every_probe_of_its_defaults_and_shows_its_metrics(name: str) -> None:
    command = [sys.executable, "-m", "scalpels_exporter", "once", name, "--wait", "300s"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    tracer = TRACERS[name]
    if isinstance(tracer.runs, Bpf):
        defaults = {parameter.name: parameter.default for parameter in tracer.parameters}
        expected = sum(len(list(names(probe.name, defaults))) for probe in tracer.runs.probes)
        attached = re.search(r"I! (\d+) probes on", done.stderr)
        assert attached is not None, done.stderr
        assert int(attached[1]) == expected, done.stderr
        assert {metric.name for metric in tracer.metrics} & shown(done.stdout), done.stdout
    assert not re.search(r"\b[WE]! ", done.stderr), done.stderr


def shown(text: str) -> set[str]:
    return set(re.findall(r"^# TYPE (\w+) ", text, re.M))


def test_it_counts_exactly_what_a_process_did(
    name: str,
    agent: RunningAgent,
    tracer_is_up: None,
    until: Callable[..., Any],
    record_property: Callable[..., None],
) -> None:
    program = program_of(name)

    def processes() -> float | None:
        return agent.value("scalpels_programs_processes", program=program)

    with doing(name) as process:
        until(lambda: processes() == 1, 60, "the process has its name")
        before = agent.samples(**PATIENT)
        do(process)
        after = until(lambda: exact(name, before, agent.samples(**PATIENT)), 20, "what it did is shown")
    until(lambda: processes() == 0, 30, "the process is gone")
    if not TRACERS[name].host:  # the kernel counts runs one second in ten
        until(lambda: agent.value("scalpels_tracer_probe_runs_total", tracer=name), 40, "its runs are counted")
    is_coherent(name, after)
    verdicts = verified(agent.tracer(TRACERS[name].host or name)["pid"])
    assert verdicts
    record_property("verified", verdicts)


def exact(name: str, before: dict[Key, float], after: dict[Key, float]) -> dict[Key, float]:
    """`after`, when it shows what the case says."""
    assert moved(name, before, after) == counts(name)
    return after


def moved(name: str, before: dict[Key, float], after: dict[Key, float]) -> dict[Key, float]:
    """What has changed of the program's series, and what the case names besides; of histograms the counts."""
    prefix, program = f"scalpels_{name}_", ("program", program_of(name))
    changes = {
        key: value - before.get(key, 0)
        for key, value in after.items()
        if key[0].startswith(prefix) and program in key[1]
    }
    parts = ("_bucket", "_sum", "_created", "_seconds_total")  # times are not told beforehand
    whole = {key: change for key, change in changes.items() if change and not key[0].endswith(parts)}
    return {key: changes.get(key, 0) for key in counts(name)} | whole


def is_coherent(name: str, after: dict[Key, float]) -> None:
    """Histograms add up, every metric has a series, and nothing was lost."""
    tracer = TRACERS[name]
    for metric in tracer.metrics:
        begin = metric.name if metric.kind != "histogram" else f"{metric.name}_count"
        series = {labels: value for (sample, labels), value in after.items() if sample == begin}
        assert bool(series) == (metric.name not in left_out(name)), metric.name
        for labels, value in series.items() if metric.kind == "histogram" else ():
            assert after[f"{metric.name}_bucket", tuple(sorted([*labels, ("le", "+Inf")]))] == value
            assert after[f"{metric.name}_sum", labels] > 0 or not value
    label = ("tracer", name)
    assert {key: value for key, value in after.items() if "_lost_" in key[0] and label in key[1] and value} == {}
    assert {key: value for key, value in after.items() if "_rejected_" in key[0] and label in key[1] and value} == {}
