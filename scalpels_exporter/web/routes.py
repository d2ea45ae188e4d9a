"""Path and method → what is answered. The gate has let the request through; whether it may control is asked here."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from urllib.parse import unquote

from scalpels_exporter.web import api, pages
from scalpels_exporter.web.control import Verdict, may_control
from scalpels_exporter.web.counted import Counted
from scalpels_exporter.web.limits import Limits
from scalpels_exporter.web.message import Answer, Request, text
from scalpels_exporter.web.scrape import scrape
from scalpels_exporter.web.served import Served

log = logging.getLogger(__name__)

READ = ("GET", "HEAD")
TRACERS = "/api/v1/tracers"
TRACER = re.compile(rf"{TRACERS}/([^/]+)(?:/(start|stop))?")
NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)

Handle = Callable[[Request, str], Awaitable[Answer]]  # the request and the authenticated user


@dataclass(frozen=True, slots=True)
class Route:
    methods: tuple[str, ...]
    handler: str  # the class of path, for the counter
    handle: Handle


class Routes:
    def __init__(
        self, served: Served, metrics_path: str, version: str, node: str, limits: Limits, counted: Counted
    ) -> None:
        self.loopback_only = False  # set by the server once it knows what it listens on
        self._served = served
        self._about = {"version": version, "node": node, "metrics_path": metrics_path}
        self._limits = limits
        self._counted = counted
        self._pages = pages.load(metrics_path)
        self._fixed = {path: Route(READ, "page", self._page) for path in self._pages}
        self._fixed |= {
            "/-/healthy": Route(READ, "health", self._healthy),
            "/-/ready": Route(READ, "health", self._ready),
            "/-/reload": Route(("POST", "PUT"), "reload", self._reload),
            TRACERS: Route(READ, "api", self._listing),
            metrics_path: Route(READ, "metrics", self._metrics),
        }

    async def answer(self, request: Request, user: str) -> Answer:
        """Never raises: what goes wrong inside is one line for the client and a traceback in the log."""
        route = self._find(request.path)
        if route is None:
            return text(404, "nothing is here; / has links to what there is")
        if request.method not in route.methods:
            allow = ("Allow", ", ".join(route.methods))
            return replace(text(405, f"expected {' or '.join(route.methods)}", (allow,)), handler=route.handler)
        try:
            answer = await route.handle(request, user)
        except Exception:
            log.exception("%s %s failed", request.method, route.handler)
            answer = text(500, "the agent failed to answer; its log says why")
        return replace(answer, handler=route.handler)

    def _find(self, path: str) -> Route | None:
        fixed = self._fixed.get(path)
        if fixed is not None:
            return fixed
        match = TRACER.fullmatch(path)
        if match is None:
            return None
        return Route(("POST",), "api", self._control) if match[2] else Route(READ, "api", self._one)

    async def _metrics(self, request: Request, _user: str) -> Answer:
        return await scrape(self._served, request, self._limits)

    async def _page(self, request: Request, _user: str) -> Answer:
        return self._pages[request.path]

    async def _healthy(self, _request: Request, _user: str) -> Answer:
        return text(200, "healthy")

    async def _ready(self, _request: Request, _user: str) -> Answer:
        ready, why = self._served.ready()
        return text(200, "ready") if ready else text(503, f"not ready: {why}")

    async def _listing(self, request: Request, user: str) -> Answer:
        return api.listing(self._served, self._about, may_control(request, user, self.loopback_only))

    async def _one(self, request: Request, _user: str) -> Answer:
        return api.one(self._served, _name(request.path))

    async def _reload(self, request: Request, user: str) -> Answer:
        verdict = self._allowed(request, user)
        if not verdict.allowed:
            return text(403, verdict.why)
        outcome = await self._served.reload(verdict.who)
        return text(200, outcome.why or "reloaded") if outcome.ok else text(500, outcome.why or "not reloaded")

    async def _control(self, request: Request, user: str) -> Answer:
        verdict = self._allowed(request, user)
        if not verdict.allowed:
            return api.error(403, verdict.why)
        name, starts = _name(request.path), request.path.endswith("/start")
        if not NAME.fullmatch(name):
            return api.error(404, "no tracer has such a name")
        try:
            wish = api.wish(request.body, leased=starts)
        except api.BadBody as problem:
            return api.error(400, str(problem))
        if starts:
            return api.outcome(await self._served.start(name, wish.lease_seconds, wish.reason, verdict.who))
        return api.outcome(await self._served.stop(name, wish.reason, verdict.who))

    def _allowed(self, request: Request, user: str) -> Verdict:
        verdict = may_control(request, user, self.loopback_only)
        if not verdict.allowed:
            self._counted.refused("control")
        return verdict


def _name(path: str) -> str:
    match = TRACER.fullmatch(path)
    return unquote(match[1]) if match else ""
