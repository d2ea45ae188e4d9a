"""The HTTP server: listens, accepts, keeps the number of connections bounded, ends in order.

It parses nothing (`connection`), lets nobody in (`gate`) and answers nothing (`routes`): it joins them.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from dataclasses import replace

from prometheus_client import CollectorRegistry

from scalpels_exporter.web.connection import Connection
from scalpels_exporter.web.counted import Counted
from scalpels_exporter.web.establish import Unwelcome, establish
from scalpels_exporter.web.gate import admit
from scalpels_exporter.web.inforce import Fetch, InForce
from scalpels_exporter.web.limits import DEFAULT, Limits
from scalpels_exporter.web.listen import Listener, bind_all
from scalpels_exporter.web.message import Answer, Refused, Request
from scalpels_exporter.web.places import Place, Places
from scalpels_exporter.web.routes import Routes
from scalpels_exporter.web.served import Served

log = logging.getLogger(__name__)

ACCEPTS_AT_ONCE = 32
ACCEPT_PAUSE_SECONDS = 0.5  # without a free file descriptor accept() fails at once, again and again
ALWAYS = (("X-Content-Type-Options", "nosniff"),)


class Server:
    """Serves `served` on all `addresses`.

    `fetch` gives the web configuration's files, None where they are unchanged; without it there is no TLS and no
    password. `registry` gets the server's own metrics.
    """

    def __init__(
        self,
        served: Served,
        addresses: Sequence[str],
        *,
        registry: CollectorRegistry,
        metrics_path: str = "/metrics",
        fetch: Fetch | None = None,
        version: str = "",
        node: str = "",
        limits: Limits = DEFAULT,
    ) -> None:
        self._wanted = addresses
        self._limits = limits
        self._listeners: list[Listener] = []
        self._places = Places(limits)
        self._tasks: set[asyncio.Task[None]] = set()
        self._counted = Counted(registry, lambda: len(self._places))
        self._in_force = InForce(fetch, limits, self._counted)
        self._routes = Routes(served, metrics_path, version, node, limits, self._counted)
        self._closing = False

    @property
    def addresses(self) -> list[str]:
        """As bound: `127.0.0.1:43211` where `127.0.0.1:0` was asked for; none once it is closed."""
        return [listener.address for listener in self._listeners]

    @property
    def secure(self) -> bool:
        """Whether new TCP connections are under TLS."""
        return self._in_force.config.context is not None

    async def start(self) -> None:
        """Raises ListenProblem (an address), Mistakes (the web configuration); then nothing is bound."""
        await self._in_force.first()
        self._listeners = bind_all(self._wanted, self._limits)
        self._routes.loopback_only = all(listener.loopback for listener in self._listeners)
        for listener in self._listeners:
            self._listen(listener)

    async def close(self) -> None:
        """No new connection from now on; running answers may end within the grace, idle connections end at once.

        May be called twice, and after a start that failed.
        """
        self._closing = True
        loop = asyncio.get_running_loop()
        while self._listeners:
            listener = self._listeners.pop()
            loop.remove_reader(listener.socket)
            listener.close()
        for place in self._places.all():
            if place.answering and place.connection is not None:
                place.connection.closing = True
            else:
                place.task.cancel()
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=self._limits.grace_seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        self._places.close()
        await self._in_force.close()

    # ------------------------------------------------------------------ accepting

    def _listen(self, listener: Listener) -> None:
        if not self._closing:
            asyncio.get_running_loop().add_reader(listener.socket, self._accept, listener)

    def _accept(self, listener: Listener) -> None:
        for _ in range(ACCEPTS_AT_ONCE):
            try:
                sock, _address = listener.socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause(listener, error)
                return
            sock.setblocking(False)
            self._welcome(sock, listener)

    def _pause(self, listener: Listener, error: OSError) -> None:
        log.warning("no connection can be accepted on %s: %s", listener.address, error.strerror)
        self._counted.refused("accept")
        loop = asyncio.get_running_loop()
        self._places.make_room(loop.time())
        loop.remove_reader(listener.socket)
        loop.call_later(ACCEPT_PAUSE_SECONDS, self._listen, listener)

    def _welcome(self, sock: socket.socket, listener: Listener) -> None:
        now = asyncio.get_running_loop().time()
        if self._places.full:
            self._counted.refused("connections")
            if not self._places.make_room(now):
                self._places.turn_away(sock, tell=listener.unix or not self.secure)
                return
        task = asyncio.create_task(self._serve(sock, listener))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(self._places.leave)
        # Not in the task: one that is cancelled before its first step would never close it.
        task.add_done_callback(lambda _task: sock.close())
        self._places.take(Place(task, now))

    # ------------------------------------------------------------------ serving

    async def _serve(self, sock: socket.socket, listener: Listener) -> None:
        """Never raises, except that it is cancelled: clients that vanish are normal."""
        try:
            await self._connection(sock, listener)
        except (Refused, Unwelcome) as refused:
            self._counted.refused(refused.reason)
            if isinstance(refused, Refused):
                self._counted.answered(refused.status, "none")
        except TimeoutError:
            self._counted.refused("stalled")
        except OSError:
            pass
        except Exception:
            log.exception("a connection failed")

    async def _connection(self, sock: socket.socket, listener: Listener) -> None:
        wire, peer = await establish(sock, listener, self._in_force, self._limits)
        connection = Connection(wire, peer, self._handle, self._limits)
        self._places.established(asyncio.current_task(), connection)
        await connection.run()
        await wire.finish()

    async def _handle(self, request: Request) -> Answer:
        if not request.peer.unix:
            await self._in_force.refresh()
        admitted = await admit(request, self._in_force, self._counted)
        answer = admitted if isinstance(admitted, Answer) else await self._routes.answer(request, admitted)
        self._counted.answered(answer.status, answer.handler)
        configured = self._in_force.config.headers
        given = {name for name, _ in configured}
        kept = [pair for pair in (*ALWAYS, *answer.headers) if pair[0] not in given]
        return replace(answer, headers=(*kept, *configured))
