"""Wires the parts of the agent proper in its one loop: spawner's messages → supervisor → store → HTTP. No more."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import pickle
import signal
import socket
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector

from scalpels_exporter import __version__, log
from scalpels_exporter.agent.options import Parts
from scalpels_exporter.agent.serving import Serving
from scalpels_exporter.config.settings import Mistake, Mistakes, Settings
from scalpels_exporter.intake.store import Store
from scalpels_exporter.spawn import messages
from scalpels_exporter.spawn.link import Link
from scalpels_exporter.supervise.supervisor import Supervisor
from scalpels_exporter.web.address import ListenProblem
from scalpels_exporter.web.server import Server
from scalpels_exporter.web.webfiles import WebFiles

READ_SECONDS = 30.0  # for the spawner to read files again

_log = log.get("agent")


def serve(parts: Parts) -> int:
    """Until a signal says to end; the exit status."""
    log.setup(parts.options.log_level, parts.options.log_format)
    gc.freeze()
    return asyncio.run(Agent(parts).run())


class Agent:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._end: asyncio.Future[int] | None = None
        self._reading: tuple[str, asyncio.Future[tuple[str, bytes]]] | None = None  # settings or web
        self._reading_turn = asyncio.Lock()
        self._late_web: tuple[str, bytes] | None = None  # came when nobody waited any more
        self._hangup: asyncio.Task[None] | None = None
        self._hung_up_again = False

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_report)
        self._end = loop.create_future()
        self._link = Link(self._parts.spawner, self._answer, self._spawner_gone)
        self._store = Store()
        self._supervisor = Supervisor(self._parts.settings, self._store, self._link.send)
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._serving = Serving(self._supervisor, self._store, registry, self._reread)
        server = Server(
            self._serving,
            self._listen(),
            registry=registry,
            metrics_path=self._parts.options.telemetry_path,
            fetch=self._fetch if self._parts.options.web_config else None,
            version=__version__,
            node=socket.gethostname(),
        )
        self._link.open()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._finish, 0)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        try:
            await server.start()
        except (ListenProblem, Mistakes) as problem:
            _log.error("cannot serve: %s", problem)
            self._link.close()
            return 1
        self._supervisor.step()
        _log.info(
            "agent started",
            extra={"fields": {"version": __version__, "addresses": ",".join(server.addresses), **self._protection()}},
        )
        status = await self._end
        _log.info("agent ends")
        self._supervisor.stop_all()
        await server.close()
        self._link.close()
        return status

    def _listen(self) -> list[str]:
        control = [f"unix:{self._parts.control}"] if self._parts.control else []
        return [*self._parts.options.listen, *control]

    def _protection(self) -> dict[str, str]:
        return {"uid": str(os.getuid()), "seccomp": "yes" if self._parts.confined else "no"}

    def _finish(self, status: int) -> None:
        if self._end is not None and not self._end.done():
            self._end.set_result(status)

    def _on_hangup(self) -> None:
        """One reload at a time, and one more for all the signals that come meanwhile."""
        self._hung_up_again = True
        if self._hangup is None:
            self._hangup = asyncio.get_running_loop().create_task(self._reload_after_hangup())

    async def _reload_after_hangup(self) -> None:
        try:
            while self._hung_up_again:
                self._hung_up_again = False
                await self._serving.reload("SIGHUP")
        finally:
            self._hangup = None

    # ------------------------------------------------------------------ the spawner

    def _spawner_gone(self) -> None:
        if self._end is not None and not self._end.done():
            _log.error("the spawner is gone, so no worker can be kept: the agent ends")
            self._finish(1)

    def _answer(self, words: list[str], descriptors: list[int]) -> None:
        match words:
            case ["started", name, run, pid]:
                self._supervisor.started(name, int(run), int(pid), descriptors)
            case ["ended", name, run, how]:
                kind, _, number = how.partition(":")
                code = -int(number) if kind == "signal" else int(number)
                self._supervisor.ended(name, int(run), code, with_host=kind == "host")
            case ["unstarted", name, run, text]:
                self._supervisor.unstarted(name, int(run), text)
            case ["settings" | "web" as what, result, *_]:
                self._read_done(what, result, descriptors)
            case ["refused", text]:
                _log.error("refused by the spawner", extra={"fields": {"why": text}})

    def _read_done(self, what: str, result: str, descriptors: list[int]) -> None:
        content = b"another reading is under way" if result == "busy" else b""
        for descriptor in descriptors:
            with os.fdopen(descriptor, "rb") as file:
                content = file.read()
        if self._reading is not None and self._reading[0] == what and not self._reading[1].done():
            self._reading[1].set_result((result, content))
        elif result == "ok":
            self._take_late(what, content)

    def _take_late(self, what: str, content: bytes) -> None:
        """The spawner goes by what it has read, so the agent does too, though it has told that nothing was taken."""
        _log.warning("files were read late and are in force now", extra={"fields": {"what": what}})
        if what == "web":
            self._late_web = ("ok", content)
        else:
            self._supervisor.reload(pickle.loads(content))

    async def _read(self, what: str, order: messages.Order) -> tuple[str, bytes]:
        """(ok, pickle), (mistakes, pickle), (same, nothing), (broken, text), (busy, text) or (refused, text)."""
        async with self._reading_turn:
            done = asyncio.get_running_loop().create_future()
            self._reading = what, done
            try:
                self._link.send(order)
                return await asyncio.wait_for(done, READ_SECONDS)
            except TimeoutError:
                return "refused", b"the files could not be read in time"
            except OSError as error:
                return "refused", f"the spawner takes no orders: {error}".encode()
            finally:
                self._reading = None

    async def _reread(self) -> list[str]:
        """Puts the configuration in force; or the mistakes, one line each, and nothing has changed."""
        try:
            settings: Settings = _unpacked(*await self._read("settings", messages.Reload()))
        except Mistakes as mistakes:
            return [str(mistake) for mistake in mistakes.found]
        self._supervisor.reload(settings)
        return []

    async def _fetch(self) -> WebFiles | None:
        """The web configuration's files when they changed, None when not. Raises Mistakes."""
        result, content = await self._read("web", messages.ReadWeb())
        late, self._late_web = self._late_web, None
        if result == "same":
            if late is None:
                return None
            result, content = late
        files: WebFiles = _unpacked(result, content)
        return files


def _unpacked(result: str, content: bytes) -> Any:
    """What the privileged side has read. Raises Mistakes."""
    match result:
        case "ok":
            return pickle.loads(content)
        case "mistakes":
            raise Mistakes(pickle.loads(content))
    raise Mistakes([Mistake("scalpels", 0, "", content.decode("utf-8", "replace") or "the files could not be read")])


def _report(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A mistake of ours in a callback: one line, and the agent goes on."""
    error = context.get("exception")
    where = ""
    with contextlib.suppress(Exception):
        frame = error.__traceback__  # type: ignore[union-attr]
        while frame and frame.tb_next:
            frame = frame.tb_next
        where = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else ""
    _log.error(
        "internal error: %s",
        context.get("message", ""),
        extra={"fields": {"error": f"{type(error).__name__}: {error}", "at": where}},
    )
