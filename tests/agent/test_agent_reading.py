"""What the agent makes of the spawner's answers about files: in time, late, mixed up, and broken."""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from scalpels_exporter.agent import main as place
from scalpels_exporter.agent.main import Agent
from scalpels_exporter.agent.options import Options, Parts
from scalpels_exporter.config.load import load
from scalpels_exporter.config.settings import Mistake, Mistakes, Settings
from scalpels_exporter.intake.store import Store
from scalpels_exporter.spawn.link import Link
from scalpels_exporter.supervise.supervisor import Supervisor
from scalpels_exporter.web.webfiles import WebFiles, read


class Scene:
    """An agent without a web server, and a test in its spawner's place."""

    def __init__(self) -> None:
        ours, self.spawner = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.spawner.setblocking(False)
        self.settings = load(None)
        for chosen in self.settings.tracers.values():
            object.__setattr__(chosen, "enabled", False)
        self.agent = Agent(Parts(Options(None, ()), self.settings, ours, "", confined=False))
        self.agent._link = Link(ours, self.agent._answer, lambda: None)
        self.agent._supervisor = Supervisor(self.settings, Store(), self.agent._link.send)
        self.agent._link.open()

    async def ordered(self) -> str:
        while True:
            try:
                return self.spawner.recv(512).decode()
            except BlockingIOError:
                await asyncio.sleep(0.002)

    def answer(self, text: str, content: bytes | None = None) -> None:
        files = []
        if content is not None:
            files = [os.memfd_create("answer")]
            os.write(files[0], content)
            os.lseek(files[0], 0, os.SEEK_SET)
        socket.send_fds(self.spawner, [text.encode()], files)
        for file in files:
            os.close(file)

    def less_one(self) -> Settings:
        """Other settings than those in force."""
        settings = load(None)
        settings.tracers.pop("port")  # type: ignore[attr-defined]
        return settings


def play(act: Callable[[Scene], Awaitable[None]]) -> None:
    async def run() -> None:
        scene = Scene()
        try:
            await act(scene)
        finally:
            scene.agent._link.close()
            scene.spawner.close()
            if scene.agent._supervisor._timer:
                scene.agent._supervisor._timer.cancel()

    asyncio.run(run())


def web_files(folder: Path) -> WebFiles:
    path = folder / "web.yml"
    path.write_text("{}\n")
    return read(str(path))


def test_good_settings_are_put_in_force() -> None:
    async def act(scene: Scene) -> None:
        reading = asyncio.create_task(scene.agent._reread())
        assert await scene.ordered() == "reload"
        scene.answer("settings ok", pickle.dumps(scene.less_one()))
        assert await reading == []
        assert "port" not in scene.agent._supervisor.tracked

    play(act)


@pytest.mark.parametrize(
    ("answer", "content", "line"),
    [
        ("settings mistakes", pickle.dumps([Mistake("x.yaml", 3, "a.b", "is wrong")]), "x.yaml:3: a.b: is wrong"),
        ("settings broken", b"MemoryError: none left", "MemoryError: none left"),
        ("settings broken", b"", "the files could not be read"),
        ("settings busy", None, "another reading is under way"),
    ],
)
def test_anything_else_is_a_line_and_changes_nothing(answer: str, content: bytes | None, line: str) -> None:
    async def act(scene: Scene) -> None:
        before = dict(scene.agent._supervisor.tracked)
        reading = asyncio.create_task(scene.agent._reread())
        await scene.ordered()
        scene.answer(answer, content)
        found = await reading
        assert len(found) == 1
        assert line in found[0]
        assert scene.agent._supervisor.tracked == before

    play(act)


def test_settings_that_come_too_late_are_in_force_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "READ_SECONDS", 0.05)

    async def act(scene: Scene) -> None:
        assert "in time" in (await scene.agent._reread())[0]
        await scene.ordered()
        scene.answer("settings ok", pickle.dumps(scene.less_one()))
        while "port" in scene.agent._supervisor.tracked:
            await asyncio.sleep(0.002)

    play(act)


def test_a_late_answer_is_never_taken_for_that_to_another_question(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def act(scene: Scene) -> None:
        monkeypatch.setattr(place, "READ_SECONDS", 0.05)
        await scene.agent._reread()
        monkeypatch.setattr(place, "READ_SECONDS", 10)
        fetching = asyncio.create_task(scene.agent._fetch())
        assert [await scene.ordered(), await scene.ordered()] == ["reload", "web"]
        scene.answer("settings ok", pickle.dumps(scene.less_one()))
        files = web_files(tmp_path)
        scene.answer("web ok", pickle.dumps(files))
        assert await fetching == files
        assert "port" not in scene.agent._supervisor.tracked

    play(act)


def test_web_files_that_come_too_late_are_given_to_the_next_who_asks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def act(scene: Scene) -> None:
        monkeypatch.setattr(place, "READ_SECONDS", 0.05)
        with pytest.raises(Mistakes):
            await scene.agent._fetch()
        monkeypatch.setattr(place, "READ_SECONDS", 10)
        await scene.ordered()
        files = web_files(tmp_path)
        scene.answer("web ok", pickle.dumps(files))
        for expected in (files, None):
            fetching = asyncio.create_task(scene.agent._fetch())
            await scene.ordered()
            scene.answer("web same")  # the spawner has read them, so that for it nothing changed
            assert await fetching == expected

    play(act)


def test_a_refused_start_concerns_the_tracer_that_it_names_alone() -> None:
    async def act(scene: Scene) -> None:
        supervisor = scene.agent._supervisor
        for name in ("system", "program"):
            object.__setattr__(supervisor.tracked[name].chosen, "enabled", True)
        supervisor.step()
        orders = [await scene.ordered(), await scene.ordered()]
        refused = next(order for order in orders if "system" in order)
        scene.answer(f"un{refused.replace('start', 'started')} the program has a worker already")
        while not supervisor.tracked["system"].exits:
            await asyncio.sleep(0.002)
        assert dict(supervisor.tracked["system"].exits) == {"refused": 1}
        assert supervisor.tracked["system"].why == "the program has a worker already"
        assert not supervisor.tracked["program"].exits

    play(act)
