"""Every child that breaks the contract, all at once beside an honest one, in one real agent.

What each does wrong hurts nobody but its own series: that is why they run together.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from running import QUIET, WORKERS, RunningAgent, lives

Until = Callable[..., Any]

# tracer → child, and the mode it runs in
CHILDREN = {
    "honest": ("is_honest", "ticked"),
    "diesatonce": ("dies_at_once", "ticked"),
    "diesafterone": ("dies_after_one_snapshot", "ticked"),
    "ignoresterm": ("ignores_sigterm", "ticked"),
    "garbage": ("prints_garbage", "ticked"),
    "endless": ("prints_without_newline", "stream"),
    "flood": ("prints_ten_million_lines", "stream"),
    "silent": ("is_silent", "ticked"),
    "late": ("answers_a_tick_late", "ticked"),
    "grand": ("leaves_grandchildren", "ticked"),
    "undeclared": ("prints_undeclared_metrics", "ticked"),
    "backwards": ("prints_a_counter_that_goes_backwards", "ticked"),
    "nan": ("prints_nan", "ticked"),
    "million": ("prints_a_million_series", "ticked"),
    "mute": ("closes_stdout_and_lives_on", "ticked"),
}
MOST_RESIDENT_BYTES = 250 << 20


@pytest.fixture(scope="module")
def agent() -> Iterator[RunningAgent]:
    folder = Path(tempfile.mkdtemp(prefix="scalpels-contract-"))
    folder.chmod(0o755)
    shutil.copytree(WORKERS, folder / "workers")
    for file in (folder / "workers").iterdir():
        file.chmod(0o644)
    config = QUIET + "".join(
        f"  {name}:\n"
        f"    command: [/usr/bin/python3, -S, {folder}/workers/{script}.py, {name}]\n"
        f"    format: samples\n    mode: {mode}\n"
        f"    metric: {{name: scalpels_{name}_events_total, type: counter, help: Events., labels: [kind]}}\n"
        for name, (script, mode) in CHILDREN.items()
    )
    running = RunningAgent(folder, config)
    yield running
    running.close()
    shutil.rmtree(folder, ignore_errors=True)


def rejected(agent: RunningAgent, tracer: str) -> dict[str, int]:
    found: dict[str, int] = agent.tracer(tracer)["rejected"]
    return found


def test_the_honest_one_is_served_with_fresh_values_beside_all_the_others(agent: RunningAgent, until: Until) -> None:
    until(lambda: agent.tracer("honest")["state"] == "running", 15)
    before = agent.value("scalpels_honest_events_total", kind="a")
    assert before is not None
    after = agent.samples()
    value = after["scalpels_honest_events_total", (("kind", "a"),)]
    assert value > before
    assert after["scalpels_honest_events_total", (("kind", "b"),)] == 2 * value
    assert after["scalpels_worker_up", (("tracer", "honest"),)] == 1
    assert rejected(agent, "honest") == {}


def test_a_scrape_ends_within_its_deadline_whatever_the_workers_do(agent: RunningAgent) -> None:
    for _ in range(5):
        began = time.monotonic()
        response = agent.get(**{"X-Prometheus-Scrape-Timeout-Seconds": "3"})
        assert response.status_code == 200
        assert time.monotonic() - began < 3


def test_one_that_dies_at_once_backs_off_fails_and_says_why(agent: RunningAgent, until: Until) -> None:
    until(lambda: agent.tracer("diesatonce")["state"] == "failed", 30)
    status = agent.tracer("diesatonce")
    assert status["exits"] == {"exit": 5}
    assert status["starts"] == 5
    assert "exit status 3" in status["why"]
    assert "no such device" in status["why"]
    samples = agent.samples()
    assert samples["scalpels_tracer_state", (("state", "failed"), ("tracer", "diesatonce"))] == 1
    assert samples["scalpels_worker_up", (("tracer", "diesatonce"),)] == 0


def test_one_that_dies_after_one_snapshot_fails_too_and_its_series_go(agent: RunningAgent, until: Until) -> None:
    until(lambda: agent.tracer("diesafterone")["state"] == "failed", 40)
    assert agent.tracer("diesafterone")["exits"] == {"exit": 5}
    assert agent.value("scalpels_diesafterone_events_total", kind="a") is None


def test_one_that_ignores_sigterm_is_killed_after_its_grace(agent: RunningAgent, until: Until) -> None:
    pid = until(lambda: agent.tracer("ignoresterm")["state"] == "running" and agent.tracer("ignoresterm")["pid"])
    agent.tree()
    assert agent.post("/api/v1/tracers/ignoresterm/stop", {"reason": "test"}).status_code == 200
    assert agent.tracer("ignoresterm")["state"] == "stopping"
    until(lambda: agent.tracer("ignoresterm")["state"] == "stopped", 10)
    assert not lives(pid)
    assert agent.value("scalpels_ignoresterm_events_total", kind="a") is None


def test_garbage_is_counted_and_the_good_lines_among_it_are_served(agent: RunningAgent, until: Until) -> None:
    assert until(lambda: agent.value("scalpels_garbage_events_total", kind="a"))
    assert rejected(agent, "garbage").get("bad_syntax", 0) >= 2


def test_an_endless_line_costs_no_memory_and_is_counted(agent: RunningAgent, until: Until) -> None:
    until(lambda: rejected(agent, "endless").get("line_too_long", 0) >= 1, 20)
    assert agent.value("scalpels_endless_events_total", kind="a") is None


def test_a_flood_and_a_million_series_leave_the_agent_its_memory(agent: RunningAgent, until: Until) -> None:
    until(lambda: agent.tracer("million")["folded"] or rejected(agent, "million"), 30)
    until(lambda: agent.tracer("flood")["starts"] >= 1)
    peak = int(
        next(line for line in Path(f"/proc/{agent.pid}/status").read_text().splitlines() if "VmHWM" in line)[6:-2]
    )
    assert peak * 1024 < MOST_RESIDENT_BYTES
    assert agent.tracer("million")["series"] <= 2000 + 1


def test_a_silent_one_is_served_from_nothing_and_its_misses_are_counted(agent: RunningAgent) -> None:
    before = agent.samples()["scalpels_worker_collect_timeouts_total", (("tracer", "silent"),)]
    after = agent.samples()["scalpels_worker_collect_timeouts_total", (("tracer", "silent"),)]
    assert after > before
    assert agent.tracer("silent")["snapshot_at"] is None


def test_a_late_answer_is_missed_and_then_served_as_the_last_good_one(agent: RunningAgent, until: Until) -> None:
    first = until(lambda: agent.value("scalpels_late_events_total", kind="a"))
    timeouts = agent.tracer("late")["timeouts"]
    agent.get(**{"X-Prometheus-Scrape-Timeout-Seconds": "0.6"})
    until(lambda: agent.tracer("late")["timeouts"] > timeouts)
    until(lambda: (agent.value("scalpels_late_events_total", kind="a") or 0) > first, 15)


def test_what_was_not_declared_is_refused_by_reason_and_never_exported(agent: RunningAgent, until: Until) -> None:
    until(lambda: agent.value("scalpels_undeclared_events_total", kind="a"))
    reasons = rejected(agent, "undeclared")
    assert reasons["undeclared_metric"] >= 2
    assert reasons["wrong_labels"] >= 2
    samples = agent.samples()
    assert not any(name == "scalpels_secret_total" for name, _ in samples)
    assert [labels for name, labels in samples if name == "scalpels_undeclared_events_total"] == [(("kind", "a"),)]


def test_a_counter_never_goes_backwards(agent: RunningAgent, until: Until) -> None:
    seen = until(lambda: agent.value("scalpels_backwards_events_total", kind="a"))
    until(lambda: rejected(agent, "backwards").get("counter_backwards"))
    assert agent.value("scalpels_backwards_events_total", kind="a") == seen
    assert agent.value("scalpels_backwards_events_total", kind="b") is None
    assert rejected(agent, "backwards")["negative_counter"] >= 1
    assert (agent.value("scalpels_backwards_events_total", kind="c") or 0) >= 2


def test_what_is_no_number_is_refused(agent: RunningAgent, until: Until) -> None:
    until(lambda: agent.value("scalpels_nan_events_total", kind="f"))
    kinds = [labels for name, labels in agent.samples() if name == "scalpels_nan_events_total"]
    assert kinds == [(("kind", "f"),)]
    assert rejected(agent, "nan")["not_a_number"] >= 2


def test_one_that_closes_its_stdout_and_lives_on_is_ended(agent: RunningAgent, until: Until) -> None:
    until(lambda: agent.tracer("mute")["exits"].get("hung", 0) >= 1, 20)


def test_grandchildren_end_with_their_worker_even_in_sessions_of_their_own(agent: RunningAgent, until: Until) -> None:
    def family() -> list[int]:
        return [
            pid
            for pid in agent.tree()
            if b"grandchild-of-grand" in (Path(f"/proc/{pid}/cmdline").read_bytes() if lives(pid) else b"")
        ]

    grandchildren = until(lambda: len(family()) == 2 and family())
    assert agent.post("/api/v1/tracers/grand/stop").status_code == 200
    until(lambda: agent.tracer("grand")["state"] == "stopped", 10)
    until(lambda: not [pid for pid in grandchildren if lives(pid)], 5)


def test_each_offence_is_logged_once_and_in_one_line(agent: RunningAgent, until: Until) -> None:
    until(lambda: rejected(agent, "undeclared").get("undeclared_metric", 0) > 10, 20) if agent.samples() else None
    lines = [line for line in agent.log.read_text().splitlines() if "undeclared" in line and "secret" in line]
    assert len(lines) == 1
    assert "Traceback" not in agent.log.read_text()
