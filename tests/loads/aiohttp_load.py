"""An HTTP load through aiohttp, a coroutine for each session. It can do a job more than the others:

websockets {count, messages}    so many websockets at /ws after each other, so many texts said and heard on each
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from time import perf_counter_ns
from typing import Any

import aiohttp
from yarl import URL

from loads.calls import Call
from loads.http_jobs import WARM, HttpJobs, HttpSession, HttpTally
from loads.jobs import Job, Unsupported

LOOP = asyncio.new_event_loop()


class AiohttpSession(HttpSession):
    def warm_up(self, tally: HttpTally) -> None:
        LOOP.run_until_complete(self._open(tally))

    async def _open(self, tally: HttpTally) -> None:
        settings: dict[str, Any] = {"limit": 1, "force_close": bool(self.options.get("close"))}
        if self.target.certificate:
            settings["ssl"] = ssl.create_default_context(cafile=self.target.certificate)
        connector = (
            aiohttp.UnixConnector(self.target.socket, **settings)
            if self.target.socket
            else aiohttp.TCPConnector(**settings)
        )
        self._session = aiohttp.ClientSession(connector=connector)
        await self.all_of([WARM], tally)

    def request(self, call: Call) -> tuple[int, int]:
        raise Unsupported("coroutines run together, by all_of()")

    def url(self, target: str) -> URL:
        return URL(f"{self.target.url}{target}", encoded=True)

    async def all_of(self, calls: Iterable[Call], tally: HttpTally) -> None:
        for call in calls:
            begin = perf_counter_ns()
            async with self._session.request(
                call.method,
                self.url(call.target),
                data=_pieces(call.body) if call.chunked else call.body or None,
                headers={"Connection": "close"} if self.closes(call) else None,
                allow_redirects=False,
                expect100=call.expect,
            ) as response:
                took = perf_counter_ns() - begin
                tally.done(call, response.status, len(await response.read()), took)

    async def websocket(self, messages: int, tally: HttpTally) -> None:
        async with self._session.ws_connect(self.url("/ws")) as socket:
            for index in range(messages):
                text = f"GET /inside/{index} HTTP/1.1"
                await socket.send_str(text)
                assert await socket.receive_str() == text
        tally.report.requests["GET", "/ws", 101] += 1

    def close(self) -> None:
        LOOP.run_until_complete(self._session.close())


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    yield body


class AiohttpJobs(HttpJobs):
    def jobs(self) -> dict[str, Job]:
        return {**super().jobs(), "websockets": self.websockets}

    def websockets(self, count: int = 1, messages: int = 10) -> dict[str, Any]:
        tally = HttpTally()
        session = self._sessions[0]
        assert isinstance(session, AiohttpSession)
        for _ in range(count):
            LOOP.run_until_complete(session.websocket(messages, tally))
        return tally.report.to_dict()

    def perform(self, work: list[tuple[HttpSession, list[Call], HttpTally]]) -> None:
        async def together() -> None:
            await asyncio.gather(
                *(session.all_of(calls, tally) for session, calls, tally in work if isinstance(session, AiohttpSession))
            )

        LOOP.run_until_complete(together())


if __name__ == "__main__":
    asyncio.set_event_loop(LOOP)
    AiohttpJobs(AiohttpSession).serve()
