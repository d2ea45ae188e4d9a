"""Rounds of ticks over workers that are a test: shared, bounded, given up, and begun anew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from scalpels_exporter.config.load import load
from scalpels_exporter.intake.store import Store
from scalpels_exporter.supervise import supervisor as place
from scalpels_exporter.supervise.status import State
from scalpels_exporter.supervise.supervisor import Supervisor
from scalpels_exporter.supervise.ticks import LEAST_SECONDS, Ticker

NAMES = ("program", "system")  # two that answer ticks


class Stdin:
    """Stands for a worker's pipes: takes ticks, or does not."""

    cpu_seconds = 0.0

    def __init__(self, takes: bool = True) -> None:
        self.takes = takes
        self.ticks = 0

    def tick(self) -> bool:
        self.ticks += self.takes
        return self.takes

    def close_stdin(self) -> None: ...

    def close(self) -> None: ...

    def drain(self) -> None: ...


class Scene:
    def __init__(self) -> None:
        settings = load(None)
        self.supervisor = Supervisor(settings, Store(), lambda _: None)
        self.ticker = Ticker(self.supervisor)
        self.stdin = {name: Stdin() for name in NAMES}
        for name in NAMES:
            tracked = self.supervisor.tracked[name]
            tracked.pipes = self.stdin[name]  # type: ignore[assignment]
            tracked.run = 1
            tracked.life.enter(State.RUNNING, time.monotonic())

    def answer(self, name: str) -> None:
        self.supervisor._data(name, 1, b'{"end": true}\n')

    def tracked(self, name: str) -> Any:
        return self.supervisor.tracked[name]


def play(act: Callable[[Scene], Awaitable[None]]) -> None:
    async def run() -> None:
        scene = Scene()
        await act(scene)
        if scene.supervisor._timer:
            scene.supervisor._timer.cancel()

    asyncio.run(run())


async def begun(scene: Scene, seconds: float = 5.0) -> asyncio.Task[int]:
    task = asyncio.create_task(scene.ticker.tick(seconds))
    await asyncio.sleep(0)
    return task


def test_scrapes_at_the_same_time_share_one_tick_and_its_number() -> None:
    async def act(scene: Scene) -> None:
        tasks = [await begun(scene) for _ in range(5)]
        assert [scene.stdin[name].ticks for name in NAMES] == [1, 1]
        scene.answer("system")
        await asyncio.sleep(0)
        assert not any(task.done() for task in tasks)
        scene.answer("program")
        assert set(await asyncio.gather(*tasks)) == {1}
        later = await begun(scene)
        assert [scene.stdin[name].ticks for name in NAMES] == [2, 2]
        for name in NAMES:
            scene.answer(name)
        assert await later == 2

    play(act)


def test_one_that_does_not_answer_delays_one_scrape_and_is_counted() -> None:
    async def act(scene: Scene) -> None:
        first = await begun(scene, 0.15)
        scene.answer("system")
        began = time.monotonic()
        assert await first == 1
        assert scene.tracked("program").late
        assert scene.tracked("program").timeouts == 1
        assert scene.tracked("system").timeouts == 0
        second = await begun(scene, 5)
        scene.answer("system")
        assert await second == 2
        assert time.monotonic() - began < 2  # nobody waited for the late one
        assert scene.tracked("program").timeouts == 2
        assert scene.stdin["program"].ticks == 1  # it owes one answer, not two
        scene.answer("program")
        third = await begun(scene)
        assert scene.stdin["program"].ticks == 2
        for name in NAMES:
            scene.answer(name)
        assert await third == 3

    play(act)


def test_a_full_stdin_counts_as_a_miss_and_is_not_waited_for() -> None:
    async def act(scene: Scene) -> None:
        scene.stdin["program"].takes = False
        task = await begun(scene)
        scene.answer("system")
        assert await task == 1
        assert scene.tracked("program").timeouts == 1

    play(act)


def test_a_scraper_in_haste_makes_nobody_late_at_once() -> None:
    async def act(scene: Scene) -> None:
        began = time.monotonic()
        task = await begun(scene, 0.0001)
        for name in NAMES:
            scene.answer(name)
        assert await task == 1
        assert not scene.tracked("system").late
        slow = await begun(scene, 0.0001)
        await slow
        assert time.monotonic() - began >= LEAST_SECONDS
        assert scene.tracked("system").late

    play(act)


def test_a_round_that_everybody_left_is_not_joined_after_its_deadline() -> None:
    async def act(scene: Scene) -> None:
        left = await begun(scene, 0.2)
        scene.answer("system")
        left.cancel()
        await asyncio.gather(left, return_exceptions=True)
        joins = await begun(scene, 0.3)
        assert scene.stdin["system"].ticks == 1
        joins.cancel()
        await asyncio.gather(joins, return_exceptions=True)
        while time.monotonic() < scene.ticker._round.ends:  # type: ignore[union-attr]
            await asyncio.sleep(0.01)
        fresh = await begun(scene)
        assert scene.stdin["system"].ticks == 2  # and not values of the old round
        assert scene.tracked("program").late
        scene.answer("system")
        assert await fresh == 2

    play(act)


def test_a_worker_that_ends_in_a_round_is_not_waited_for() -> None:
    async def act(scene: Scene) -> None:
        task = await begun(scene)
        scene.answer("system")
        scene.supervisor.ended("program", 1, -9)
        assert await asyncio.wait_for(task, 1) == 1

    play(act)


def test_a_reload_that_changes_a_tracer_lets_the_scrape_go_on() -> None:
    async def act(scene: Scene) -> None:
        task = await begun(scene)
        scene.answer("system")
        settings = load(None)
        changed = settings.tracers["program"]
        object.__setattr__(changed, "series", changed.series + 1)
        scene.supervisor.reload(settings)
        assert await asyncio.wait_for(task, 1) == 1
        assert scene.tracked("program").life.state is State.STOPPING

    play(act)


def test_one_over_its_share_is_not_asked() -> None:
    async def act(scene: Scene) -> None:
        scene.tracked("program").thinned = True
        task = await begun(scene)
        scene.answer("system")
        assert await task == 1
        assert scene.stdin["program"].ticks == 0
        assert scene.tracked("program").skipped == 1

    play(act)


def test_costs_are_looked_at_in_their_time_however_often_something_else_happens() -> None:
    async def act(scene: Scene) -> None:
        scene.supervisor.step()
        due = scene.supervisor._beat_at
        assert due <= time.monotonic() + place.BEAT_SECONDS
        for _ in range(100):
            scene.supervisor.step()
        assert scene.supervisor._beat_at == due
        scene.supervisor._beat_at = time.monotonic()
        scene.supervisor._wake()
        assert scene.supervisor._beat_at > due - place.BEAT_SECONDS
        assert scene.supervisor._timer is not None

    play(act)
