"""The agent as HTTP sees it: a scrape is a tick, the last good snapshots and one rendering; control calls are audited.

Satisfies `web.served.Served`. Knows no sockets and no processes.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from prometheus_client import CollectorRegistry

from scalpels_exporter import log
from scalpels_exporter.agent.own import Own, Reloads
from scalpels_exporter.config.durations import render as render_duration
from scalpels_exporter.exposition.compress import gzip_pieces
from scalpels_exporter.exposition.negotiate import accepts_gzip, choose_format
from scalpels_exporter.exposition.render import Renderer
from scalpels_exporter.intake.store import Store
from scalpels_exporter.supervise.hosts import forgive
from scalpels_exporter.supervise.picture import add_point
from scalpels_exporter.supervise.report import statuses
from scalpels_exporter.supervise.status import Status
from scalpels_exporter.supervise.supervisor import Supervisor
from scalpels_exporter.supervise.ticks import Ticker
from scalpels_exporter.supervise.wants import Override
from scalpels_exporter.web.served import Body, Outcome

REASON_CHARACTERS = 200
THREAD_BYTES = 1 << 20  # what is larger is compressed beside the loop

_audit = log.get("audit")


class Serving:
    def __init__(
        self,
        supervisor: Supervisor,
        store: Store,
        registry: CollectorRegistry,
        reread: Callable[[], Awaitable[list[str]]],
    ) -> None:
        """`reread` reads the configuration again and puts it in force, or gives the mistakes, one line each."""
        self._supervisor = supervisor
        self._store = store
        self._reread = reread
        self._ticker = Ticker(supervisor)
        self._renderer = Renderer()
        self._round = 0
        self._bodies: dict[tuple[str, bool], asyncio.Task[list[bytes]]] = {}  # of this round, by form
        self._registry = registry
        self.reloads = Reloads(success_time=time.time())
        self._orders: Counter[tuple[str, str, str]] = Counter()
        registry.register(Own(self.statuses, self.reloads, lambda: self._orders))

    # ------------------------------------------------------------------ scrapes

    async def scrape(self, accept: str, accept_encoding: str, deadline_seconds: float) -> Body:
        number = await self._ticker.tick(deadline_seconds)
        if number != self._round:
            self._round = number
            self._bodies.clear()
            self._take_in()
        form, gzip = choose_format(accept), accepts_gzip(accept_encoding)
        # Scrapes that shared a round of ticks share its rendering and its compression too.
        pieces = self._bodies.get((form.form, gzip))
        if pieces is None:
            pieces = asyncio.get_running_loop().create_task(self._pieces(form.form, gzip))
            self._bodies[form.form, gzip] = pieces
        return Body(form.content_type, await asyncio.shield(pieces), "gzip" if gzip else "")

    def _take_in(self) -> None:
        self._supervisor.measure()
        for snapshot in self._store.all():
            tracked = self._supervisor.tracked.get(snapshot.tracer.name)
            if tracked is not None:
                add_point(tracked, snapshot)

    async def _pieces(self, form: str, gzip: bool) -> list[bytes]:
        pieces = self._renderer.render(self._store.all(), self._registry, form)
        if not gzip:
            return pieces
        if sum(map(len, pieces)) < THREAD_BYTES:
            return list(gzip_pieces(pieces))
        return await asyncio.to_thread(lambda: list(gzip_pieces(pieces)))  # zlib lets others run meanwhile

    def statuses(self) -> Sequence[Status]:
        return statuses(self._supervisor, self._store)

    def ready(self) -> tuple[bool, str]:
        every = self._supervisor.tracked.values()
        starting = [t.name for t in every if t.life.wanted and t.starts == 0 and not t.borrowed]
        return (False, f"not started yet: {', '.join(sorted(starting))}") if starting else (True, "")

    # ------------------------------------------------------------------ control

    async def start(self, tracer: str, lease_seconds: float | None, reason: str, who: str) -> Outcome:
        if tracer not in self._supervisor.tracked:
            return self._said("start", tracer, who, reason, _unknown(tracer))
        until = time.time() + lease_seconds if lease_seconds is not None else None
        self._supervisor.wants.say(tracer, Override(True, until, reason[:REASON_CHARACTERS], who))
        forgive(tracer, self._supervisor.tracked, time.monotonic())
        self._supervisor.step()
        lease = f" for {render_duration(lease_seconds)}" if lease_seconds is not None else ""
        return self._said("start", tracer, who, reason, Outcome(True, f"{tracer} is being started{lease}"))

    async def stop(self, tracer: str, reason: str, who: str) -> Outcome:
        if tracer not in self._supervisor.tracked:
            return self._said("stop", tracer, who, reason, _unknown(tracer))
        self._supervisor.wants.say(tracer, Override(False, None, reason[:REASON_CHARACTERS], who))
        self._supervisor.step()
        return self._said("stop", tracer, who, reason, Outcome(True, f"{tracer} is being stopped"))

    async def reload(self, who: str) -> Outcome:
        mistakes = await self._reread()
        self.reloads.total += 1
        self.reloads.successful = not mistakes
        if mistakes:
            self.reloads.failures += 1
            self.reloads.failure_time = time.time()
        else:
            self.reloads.success_time = time.time()
        for mistake in mistakes:
            _audit.error("configuration not taken", extra={"fields": {"mistake": mistake}})
        outcome = Outcome(False, "\n".join(mistakes), "refused") if mistakes else Outcome(True, "reloaded")
        return self._said("reload", "", who, "", outcome)

    def _said(self, order: str, tracer: str, who: str, reason: str, outcome: Outcome) -> Outcome:
        result = "ok" if outcome.ok else outcome.problem
        if order != "reload":
            known = tracer if outcome.problem != "unknown_tracer" else "other"  # names from outside are not labels
            self._orders[known, order, result] += 1
        fields = {"order": order, "tracer": tracer, "who": who, "reason": reason[:REASON_CHARACTERS], "result": result}
        _audit.info("control", extra={"fields": {k: v for k, v in fields.items() if v}})
        return outcome


def _unknown(tracer: str) -> Outcome:
    return Outcome(False, f"no tracer is named {tracer[:64]!r}", "unknown_tracer")
