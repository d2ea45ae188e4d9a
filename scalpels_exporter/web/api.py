"""/api/v1/tracers: states as JSON, start and stop. Knows no socket and no password."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from scalpels_exporter.config.durations import parse as parse_duration
from scalpels_exporter.supervise.wants import LONGEST_LEASE_SECONDS
from scalpels_exporter.web.control import Verdict
from scalpels_exporter.web.message import JSON, Answer
from scalpels_exporter.web.served import Outcome, Served

REASON_CHARACTERS = 200
NO_STORE = (("Cache-Control", "no-store"),)
STATUS_OF_PROBLEM = {"unknown_tracer": 404, "refused": 409}


class BadBody(Exception):
    """The text is the line for the user."""


@dataclass(frozen=True, slots=True)
class Wish:
    """The body of start and stop."""

    lease_seconds: float | None = None
    reason: str = ""


def reply(status: int, content: Any) -> Answer:
    return Answer(status, (orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE),), JSON, NO_STORE)


def error(status: int, line: str) -> Answer:
    return reply(status, {"error": line})


def listing(served: Served, about: Mapping[str, str], verdict: Verdict) -> Answer:
    """Every tracer, and whether this client may start and stop; `about` is version, node and metrics path."""
    ready, why = served.ready()
    return reply(
        200,
        {
            "agent": {**about, "ready": ready, "ready_why": why, "now": time.time()},
            "controls": verdict.allowed,
            "controls_why": verdict.why,
            "tracers": list(served.statuses()),
        },
    )


def one(served: Served, name: str) -> Answer:
    for status in served.statuses():
        if status.tracer == name:
            return reply(200, status)
    return error(404, f"no tracer is called {name!r}")


def wish(body: bytes, *, leased: bool) -> Wish:
    """Reads {"for": "10m" or seconds, "reason": "…"}; both optional, `for` only where `leased`. Raises BadBody."""
    if not body.strip():
        return Wish()
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        raise BadBody(f"the body is not JSON: {problem.msg}") from None
    if not isinstance(found, dict):
        raise BadBody("expected a JSON object")
    known = ("for", "reason") if leased else ("reason",)
    unknown = [key for key in found if key not in known]
    if unknown:
        raise BadBody(f"unknown key {unknown[0][:40]!r}; known: {', '.join(known)}")
    reason = found.get("reason", "")
    if not isinstance(reason, str) or len(reason) > REASON_CHARACTERS or not reason.isprintable():
        raise BadBody(f"reason: expected one printable line of at most {REASON_CHARACTERS} characters")
    return Wish(_lease(found.get("for")), reason)


def _lease(given: object) -> float | None:
    if given is None:
        return None
    try:
        if isinstance(given, str):
            seconds = parse_duration(given)
        elif isinstance(given, int | float) and not isinstance(given, bool):
            seconds = float(given)
        else:
            raise ValueError("expected a duration such as 10m, or seconds")
    except ValueError as problem:
        raise BadBody(f"for: {problem}") from None
    if not 0 < seconds <= LONGEST_LEASE_SECONDS:
        raise BadBody("for: expected more than 0 and at most 7 days")
    return seconds


def outcome(found: Outcome) -> Answer:
    if found.ok:
        return reply(200, {"ok": True, "why": found.why})
    return error(STATUS_OF_PROBLEM.get(found.problem, 500), found.why or found.problem or "not done")
