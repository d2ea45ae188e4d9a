"""Tracers that live in another one's worker: when they wait, and whose state they show."""

from __future__ import annotations

import pytest

from scalpels_exporter.config.settings import Chosen
from scalpels_exporter.declare import Bpf, Counter, Parser, Tracepoint, Tracer
from scalpels_exporter.supervise import hosts
from scalpels_exporter.supervise.life import Life
from scalpels_exporter.supervise.renew import fresh
from scalpels_exporter.supervise.status import State
from scalpels_exporter.supervise.tracked import Tracked


def pair(state: State, why: str = "") -> dict[str, Tracked]:
    runs = {
        "wire": Bpf((Tracepoint("syscalls", "sys_exit_read", "on_read"),), calls="parsers"),
        "sql": Parser("wire", ("mysql",)),
    }
    every = {
        name: fresh(Chosen(Tracer(name, "X.", (Counter(f"scalpels_{name}_total", "X."),), one), True))
        for name, one in runs.items()
    }
    every["wire"].life.state, every["wire"].why = state, why
    for tracked in every.values():
        tracked.life.wanted = True
    return every


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (State.STOPPED, "waits for wire"),
        (State.STARTING, "waits for wire"),
        (State.STOPPING, "waits for wire"),
        (State.BACKOFF, "waits for wire: ended by signal 9"),
        (State.RUNNING, ""),
    ],
)
def test_one_that_is_wanted_waits_until_its_host_runs(state: State, why: str) -> None:
    every = pair(state, "ended by signal 9")
    assert hosts.held_back(every["sql"], every, 1) == why
    assert every["sql"].life.state is State.STOPPED
    assert hosts.held_back(every["wire"], every, 1) == ""


@pytest.mark.parametrize("state", [State.UNSUPPORTED, State.FAILED, State.SHED])
def test_a_state_of_its_host_that_stays_is_its_own_until_the_host_leaves_it(state: State) -> None:
    every = pair(state, "no kernel headers are installed")
    sql = every["sql"]
    for _ in range(2):
        assert hosts.held_back(sql, every, 1) == "wire: no kernel headers are installed"
        assert (sql.life.state, sql.borrowed) == (state, True)
    every["wire"].life.state = State.STARTING
    assert hosts.held_back(sql, every, 2) == "waits for wire"
    assert (sql.life.state, sql.borrowed) == (State.STOPPED, False)


def test_a_failure_of_its_own_is_not_forgiven_by_a_host_that_runs() -> None:
    every = pair(State.RUNNING)
    every["sql"].life.state = State.FAILED
    assert hosts.held_back(every["sql"], every, 1) == ""
    assert every["sql"].life.state is State.FAILED


def test_one_that_nobody_wants_any_more_does_not_wait() -> None:
    every = pair(State.UNSUPPORTED, "no kernel headers are installed")
    hosts.held_back(every["sql"], every, 1)
    every["sql"].life.wanted = False
    assert hosts.held_back(every["sql"], every, 2) == ""
    assert every["sql"].life.state is State.UNSUPPORTED  # REST is the next step, as for any other


def test_a_start_forgives_the_host_too() -> None:
    every = pair(State.FAILED)
    hosts.held_back(every["sql"], every, 1)
    hosts.forgive("sql", every, 2)
    assert [one.life.state for one in every.values()] == [State.STOPPED, State.STOPPED]


def test_who_lives_in_the_worker_of_one_that_costs_too_much_is_asked_less_often_too() -> None:
    every = pair(State.RUNNING)
    hosts.thin(every, {"wire"})
    assert [one.thinned for one in every.values()] == [True, True]
    hosts.thin(every, {"sql"})
    assert [one.thinned for one in every.values()] == [False, True]
    hosts.thin(every, set())
    assert [one.thinned for one in every.values()] == [False, False]


def test_the_end_of_its_host_is_no_early_death() -> None:
    life = Life(wanted=True, state=State.RUNNING)
    for _ in range(9):
        assert life.lost_host(5.0) == "host"
    assert (life.state, life.due, life.early_deaths) == (State.BACKOFF, 5.0, 0)
    life.state = State.STOPPING
    assert life.lost_host(6.0) == "stopped"
    assert life.state is State.STOPPED
