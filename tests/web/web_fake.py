"""A fake agent behind the web room: eight tracers in every state that an operator can meet."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from scalpels_exporter.supervise.status import State, Status
from scalpels_exporter.web.served import Body, Outcome

PIECE = b'scalpels_fake_total{n="1"} 1\n' * 2000
SMALL = b"# HELP scalpels_fake_total A fake.\n# TYPE scalpels_fake_total counter\nscalpels_fake_total 23\n"


def status(tracer: str, help_text: str, state: State, **more: Any) -> Status:
    now = time.time()
    plain = Status(
        tracer=tracer,
        help=help_text,
        state=state,
        wanted=state is not State.STOPPED,
        since=now - 7300,
        why="configured",
        default=True,
        overhead="0.02 % of a CPU at 1,000 events a second",
        lease_until=None,
        pid=4711,
        starts=1,
        exits={},
        timeouts=0,
        skipped=0,
        rejected={},
        folded=0,
        series=42,
        snapshot_at=now - 3,
        cpu_seconds=12.5,
        memory_bytes=13_400_000,
        lost={},
        probe_seconds=1.25,
        probe_runs=1_000_000,
        picture_title="",
        picture_unit="",
        picture=(),
    )
    return replace(plain, **more)


def wave(points: int, height: float, phase: float = 0.0) -> tuple[tuple[float, float], ...]:
    now = time.time()
    return tuple(
        (now - 15 * (points - n), height * (1.2 + math.sin(n / 5 + phase) + 0.2 * math.sin(n * 1.7)))
        for n in range(points)
    )


def tracers() -> list[Status]:
    now = time.time()
    dead = {"pid": None, "series": 0, "snapshot_at": None, "memory_bytes": 0, "cpu_seconds": 0.0}
    return [
        status(
            "system",
            "CPU, memory, load, pressure, filesystems and network devices of this machine",
            State.RUNNING,
            series=412,
            picture_title="CPU time by mode",
            picture_unit="seconds/s",
            picture=wave(60, 0.8),
            memory_bytes=18_900_000,
        ),
        status(
            "fs",
            "How long reads, writes and syncs of files take, by program and type of filesystem",
            State.RUNNING,
            series=1204,
            picture_title="Time in file operations",
            picture_unit="seconds/s",
            picture=wave(60, 0.004, 2),
            lease_until=now + 512,
            why='started by hand ("disk looks slow after the upgrade, ticket 4711")',
            since=now - 88,
            lost={"full": 17},
            rejected={"too_many_series": 3},
            timeouts=2,
            folded=9,
        ),
        status(
            "sql",
            "Statements of MySQL, MariaDB and PostgreSQL clients and servers, by verb",
            State.UNSUPPORTED,
            **dead,
            why="needs kernel headers: none are installed for 6.1.0-18-amd64, nor any other; "
            "apt install linux-headers-amd64, "
            "or mount /usr/src of the host into the container",
            since=now - 86400 * 3,
        ),
        status(
            "vpn",
            "Bytes received by each peer",
            State.FAILED,
            **{**dead, "snapshot_at": now - 3900},
            default=False,
            why="ended five times within 30 s of its start; "
            "last: exit status 127 (/opt/vpn/stat.sh: wg: command not found)",
            starts=5,
            exits={"status": 5},
            since=now - 3720,
        ),
        status(
            "ovs",
            "Packets, bytes and drops of Open vSwitch ports",
            State.BACKOFF,
            **dead,
            default=False,
            why="ended by signal 9 (killed: out of memory); starts again in 16 s",
            starts=4,
            exits={"signal": 3},
            since=now - 4,
        ),
        status(
            "python",
            "Where Python services spend their CPU time, by function",
            State.SHED,
            **dead,
            why="over its overhead budget: 1.6 % of the node's CPUs, 1 % allowed",
            since=now - 600,
        ),
        status(
            "port",
            "Packets and bytes of one TCP port",
            State.STOPPED,
            **dead,
            default=False,
            why="not configured",
            since=now - 7300,
        ),
        status(
            "amqp",
            "Messages by method and exchange, redeliveries and confirms",
            State.STARTING,
            **dead,
            since=now - 1,
            why="configured",
        ),
    ]


class Agent:
    """Satisfies web.served.Served."""

    def __init__(self, pieces: Sequence[bytes] = (SMALL,), seconds: float = 0.0) -> None:
        self.body = Body("text/plain; version=0.0.4; charset=utf-8", pieces)
        self.seconds = seconds
        self.calls: list[tuple[Any, ...]] = []
        self.is_ready = (True, "")
        self.reload_outcome = Outcome(True)
        self.known = tracers()

    async def scrape(self, accept: str, accept_encoding: str, deadline_seconds: float) -> Body:
        self.calls.append(("scrape", accept, accept_encoding, deadline_seconds))
        if self.seconds:
            await asyncio.sleep(min(self.seconds, deadline_seconds))
        return self.body

    def statuses(self) -> Sequence[Status]:
        now = time.time() % 1e6
        return [
            replace(one, cpu_seconds=now * 0.0004 * one.series, probe_seconds=now * 0.00001 * one.series)
            if one.pid
            else one
            for one in self.known
        ]

    def ready(self) -> tuple[bool, str]:
        return self.is_ready

    async def start(self, tracer: str, lease_seconds: float | None, reason: str, who: str) -> Outcome:
        self.calls.append(("start", tracer, lease_seconds, reason, who))
        return self._known(tracer)

    async def stop(self, tracer: str, reason: str, who: str) -> Outcome:
        self.calls.append(("stop", tracer, reason, who))
        return self._known(tracer)

    async def reload(self, who: str) -> Outcome:
        self.calls.append(("reload", who))
        return self.reload_outcome

    def _known(self, tracer: str) -> Outcome:
        if tracer not in {status.tracer for status in self.known}:
            return Outcome(False, f"no tracer is called {tracer}", "unknown_tracer")
        if tracer == "sql":
            return Outcome(False, "this host cannot run it", "refused")
        return Outcome(True, "")
