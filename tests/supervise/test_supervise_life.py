"""A worker's life as histories: what happened when, and what the supervisor does next."""

from __future__ import annotations

import pytest

from scalpels_exporter.supervise.life import (
    COMPILE_SECONDS,
    MOST_EARLY_DEATHS,
    STOP_GRACE_SECONDS,
    Life,
    Step,
    backoff_seconds,
    next_moment,
    next_step,
)
from scalpels_exporter.supervise.status import State


def _life(state: State, wanted: bool, since: float = 0.0, due: float = 0.0, killed: bool = False) -> Life:
    life = Life(wanted=wanted, state=state, since=since, due=due)
    life.killed = killed
    return life


@pytest.mark.parametrize(
    ("life", "now", "step"),
    [
        (_life(State.STOPPED, True), 0, Step.START),
        (_life(State.STOPPED, False), 0, None),
        (_life(State.BACKOFF, True, due=5), 4.9, None),
        (_life(State.BACKOFF, True, due=5), 5, Step.START),
        (_life(State.BACKOFF, False, due=5), 1, Step.REST),
        (_life(State.FAILED, True), 1e6, None),
        (_life(State.FAILED, False), 0, Step.REST),
        (_life(State.UNSUPPORTED, True), 1e6, None),
        (_life(State.UNSUPPORTED, False), 0, Step.REST),
        (_life(State.SHED, False), 0, Step.REST),
        (_life(State.STARTING, True), 59, None),
        (_life(State.STARTING, True), 60, Step.TERMINATE),
        (_life(State.STARTING, False), 0, Step.TERMINATE),
        (_life(State.RUNNING, True), 1e6, None),
        (_life(State.RUNNING, False), 0, Step.TERMINATE),
        (_life(State.STOPPING, False), STOP_GRACE_SECONDS - 0.1, None),
        (_life(State.STOPPING, False), STOP_GRACE_SECONDS, Step.KILL),
        (_life(State.STOPPING, True), STOP_GRACE_SECONDS, Step.KILL),
        (_life(State.STOPPING, False, killed=True), 1e6, None),
    ],
)
def test_the_next_step_follows_from_what_is_wanted_and_what_is(life: Life, now: float, step: Step | None) -> None:
    assert next_step(life, now) is step


def test_kernel_programs_may_take_longer_to_compile() -> None:
    life = _life(State.STARTING, True)
    life.start_seconds = COMPILE_SECONDS
    assert next_step(life, 299) is None
    assert next_moment(life) == 300
    assert next_step(life, 300) is Step.TERMINATE


def test_a_worker_that_prints_when_it_likes_may_be_silent_at_its_start() -> None:
    assert next_step(_life(State.STARTING, True), 1e6, ticked=False) is None


def test_a_tick_unanswered_for_a_minute_ends_a_running_worker() -> None:
    life = _life(State.RUNNING, True)
    assert next_step(life, 100, owes_since=41) is None
    assert next_step(life, 101, owes_since=41) is Step.TERMINATE
    assert next_moment(life, owes_since=41) == 101


def test_deaths_back_off_1_2_4_8_and_then_the_worker_has_failed() -> None:
    life = Life(wanted=True)
    now, waits = 0.0, []
    for _ in range(MOST_EARLY_DEATHS):
        assert next_step(life, now) is Step.START
        life.started(now)
        life.good_snapshot(now)
        assert life.ended(-9, now, jitter=lambda: 0.0) == "signal"
        if life.state is State.BACKOFF:
            waits.append(life.due - now)
            now = life.due
    assert waits == [1, 2, 4, 8]
    assert life.state is State.FAILED
    assert next_step(life, now + 1e6) is None


def test_only_thirty_seconds_of_being_up_begin_the_backoff_anew() -> None:
    life = Life(wanted=True)
    for up, deaths in ((29.9, 1), (29.9, 2), (30.0, 0), (0.0, 1)):
        life.started(0.0)
        life.good_snapshot(10.0)  # being up counts from the first good snapshot
        life.ended(1, 10.0 + up)
        assert life.early_deaths == deaths


def test_a_worker_that_never_gave_a_snapshot_is_an_early_death_however_long_it_lived() -> None:
    life = Life(wanted=True)
    life.started(0.0)
    life.ended(1, 1000.0)
    assert life.early_deaths == 1


@pytest.mark.parametrize(
    ("code", "reason", "state"),
    [(69, "unsupported", State.UNSUPPORTED), (0, "exit", State.BACKOFF), (1, "exit", State.BACKOFF)],
)
def test_an_exit_status_says_what_becomes_of_the_tracer(code: int, reason: str, state: State) -> None:
    life = Life(wanted=True)
    life.started(0.0)
    assert life.ended(code, 1.0) == reason
    assert life.state is state


def test_a_worker_that_was_asked_to_stop_is_stopped_whatever_its_status() -> None:
    for code in (0, 1, 69, -15, -9):
        life = Life(wanted=False)
        life.started(0.0)
        life.terminated(1.0)
        assert life.ended(code, 2.0) == "stopped"
        assert life.state is State.STOPPED


def test_one_that_was_ended_because_it_hung_comes_back() -> None:
    life = Life(wanted=True)
    life.started(0.0)
    life.terminated(30.0, "hung")
    assert life.ended(-9, 35.0) == "hung"
    assert life.state is State.BACKOFF


def test_a_start_leaves_failed_and_unsupported_behind() -> None:
    for state in (State.FAILED, State.UNSUPPORTED, State.BACKOFF):
        life = _life(state, True, due=1e9)
        life.early_deaths = 5
        life.forgive(7.0)
        assert (life.state, life.early_deaths) == (State.STOPPED, 0)
        assert next_step(life, 7.0) is Step.START


@pytest.mark.parametrize(("deaths", "longest"), [(0, 1), (1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (400, 60)])
def test_the_backoff_is_bounded_and_jitter_shortens_it_by_a_fifth_at_most(deaths: int, longest: float) -> None:
    assert backoff_seconds(deaths, 0.0) == longest
    assert backoff_seconds(deaths, 1.0) == pytest.approx(longest * 0.8)
