"""What the real agent shows of HTTP, in the words of the loads and servers that know the truth."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping

from callers import Series, series_of, settled
from loads.reports import Request
from running import RunningAgent, quiet_but
from servers.access_log import AccessLog
from servers.http_server import HttpServer

from scalpels_exporter.routes.routing import FOLDED_BYTES, Routing

MARK = f"mark-of-http-load-{os.getpid()}"  # no other run's on the same machine
HOSTILE = f"mark-of-http-hostile-{os.getpid()}"
Counted = Counter[tuple[str, int, str]]  # method, status, route


def settings(server: HttpServer | None = None, front: HttpServer | None = None, more: str = "{}") -> str:
    """The load, its curls, who is hostile, and these servers have names; http is on, with `more` of its parameters."""
    rules = [f"{{name: curl, cmdline: '^curl .*{MARK}'}}", f"{{name: load, cmdline: '{MARK}'}}"]
    rules += [f"{{name: hostile, cmdline: '{HOSTILE}'}}"]
    if front is not None:
        rules.append(f"{{name: front, cmdline: '^nginx: |{front.folder}'}}")  # nginx's workers have titles of their own
    if server is not None:
        rules.append(f"{{name: server, cmdline: '{server.folder}'}}")
    return "programs:\n" + "".join(f"  - {rule}\n" for rule in rules) + f"{quiet_but('http')}  http: {more}\n"


def fold(path: str) -> str:
    """As the kernel does it: what looks like an id is a star."""
    return "/".join("*" if _is_id(segment) else segment for segment in path.split("/"))[:FOLDED_BYTES]


def _is_id(segment: str) -> bool:
    digits = sum(c.isdigit() for c in segment)
    return bool(segment) and (
        digits >= 3
        or digits == len(segment)
        or len(segment) > 24
        or re.fullmatch(r"[0-9a-fA-F._~-]{8,}", segment) is not None
        or re.search(r"[^\w.~-]", segment, re.ASCII) is not None
    )


def routed(requests: Mapping[Request, int]) -> Counted:
    """Truth about requests, by what labels tell apart."""
    routing, found = Routing(), Counted()
    for (method, path, status), times in requests.items():
        found[method, status, routing.route(fold(path))] += times
    return found


def logged(log: AccessLog) -> Counted:
    """What a server's log says, less the calls with which connections were opened: a server writes late."""
    return Counted({request: times for request, times in log.requests().items() if request[1] != "/warm"})


class Seen:
    """What a while has added to the agent's series."""

    def __init__(self, before: Series, after: Series) -> None:
        self._before, self._after = before, after

    def gained(self, name: str, **labels: str) -> dict[tuple[tuple[str, str], ...], int]:
        """Labels of each series that has these → what it gained."""
        return {
            pairs: gain
            for (sample, pairs), value in self._after.items()
            if sample == name
            and labels.items() <= dict(pairs).items()
            and (gain := round(value - self._before.get((sample, pairs), 0)))
        }

    def total(self, name: str, **labels: str) -> int:
        return sum(self.gained(name, **labels).values())

    def requests(self, program: str, side: str) -> Counted:
        found = Counted()
        for pairs, gain in self.gained(f"scalpels_http_{side}_seconds_count", program=program).items():
            those = dict(pairs)
            found[those["method"], int(those["status"]), those["route"]] += gain
        return found

    def complete(self, program: str, side: str) -> int:
        return self.total(f"scalpels_http_{side}_complete_seconds_count", program=program)


class Watched:
    """Begins a while."""

    def __init__(self, agent: RunningAgent) -> None:
        self._agent = agent
        self._before = series_of(agent, "scalpels_http")

    def after(self) -> Seen:
        return Seen(self._before, settled(self._agent, "scalpels_http"))


def in_flight(agent: RunningAgent, side: str, program: str) -> float:
    return agent.value(f"scalpels_http_{side}_requests_in_flight", program=program) or 0
