"""The running agent as the verbs see it: where it is, what it says about its tracers, what it is asked to do."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from scalpels_exporter.cli.clean import clean
from scalpels_exporter.cli.exits import FAILED, USAGE, Problem

if TYPE_CHECKING:
    from scalpels_exporter.cli.transport import Answer, Transport

SOCKETS = ("/run/scalpels/agent.sock",)
TCP = "http://127.0.0.1:10919"
PASSWORD = "SCALPELS_PASSWORD"
TRACERS = "/api/v1/tracers"
NO_AGENT = "what answers there is no agent of scalpels"


@dataclass(frozen=True, slots=True)
class Told:
    """What the agent tells of one tracer: the part of its `Status` that people are shown. Texts are printable."""

    name: str
    state: str
    why: str
    since: float  # unix time, by the agent's clock
    series: int
    refused: int
    cpu_seconds: float
    memory_bytes: float
    lease_until: float | None


@dataclass(frozen=True, slots=True)
class Listing:
    version: str
    now: float  # unix time, by the agent's clock
    tracers: Sequence[Told]
    content: bytes  # as it came


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--url",
        metavar="URL",
        help=f"http(s)://HOST:PORT or unix:/PATH (default: the agent's Unix socket, else {TCP})",
    )
    parser.add_argument("--user", metavar="NAME", help=f"user name; the password is asked for, or stands in {PASSWORD}")
    parser.add_argument("--ca-file", metavar="FILE", help="certificates that the agent's is signed by")
    parser.add_argument("--insecure", action="store_true", help="do not check the agent's certificate")


def from_arguments(args: Namespace) -> Client:
    """Raises Problem: a URL that is none, no password, or no agent that answers."""
    verify: str | bool = args.ca_file or not args.insecure
    if args.ca_file and not os.access(args.ca_file, os.R_OK):
        raise Problem(f"--ca-file: {args.ca_file} cannot be read", USAGE)
    if args.url:
        _check_url(args.url)
    elif args.user:
        raise Problem("--user: a user name goes with --url", USAGE)
    credentials = (args.user, _password(args.user)) if args.user else None
    return Client(found([args.url] if args.url else usual_places(), credentials, verify))


def _check_url(url: str) -> None:
    expected = "expected http(s)://HOST:PORT or unix:/PATH"
    try:
        parts = urlsplit(url)
        good = (parts.scheme in ("http", "https") and parts.hostname and parts.port != 0) or (
            parts.scheme == "unix" and parts.path.startswith("/") and len(parts.path.encode()) <= 107
        )
    except ValueError:
        good = False
    if not good:
        raise Problem(f"--url: {expected}, got {url[:200]!r}", USAGE)
    if parts.username or parts.password:
        raise Problem(
            f"--url: no user name and password here, where everybody sees them; use --user and {PASSWORD}", USAGE
        )


def _password(user: str) -> str:
    given = os.environ.get(PASSWORD)
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise Problem(f"--user: put the password of {user} in {PASSWORD}, or use a terminal", USAGE)
    from getpass import getpass

    return getpass(f"password of {user}: ")


def usual_places() -> list[str]:
    user = os.environ.get("XDG_RUNTIME_DIR", "")
    own = (f"{user}/scalpels/agent.sock",) if user else ()
    return [*(f"unix:{path}" for path in (*SOCKETS, *own)), TCP]


def found(
    places: Sequence[str],
    credentials: tuple[str, str] | None = None,
    verify: str | bool = True,
    answer_seconds: float = 35.0,  # a reload may take the agent 30 s
) -> Transport:
    """The first place where somebody answers. Raises Problem."""
    from scalpels_exporter.cli.transport import NotAllowed, Transport, Unreachable

    closed, reasons = "", []
    for place in places:
        transport = Transport(place, credentials, verify, answer_seconds)
        try:
            transport.request("GET", "/-/healthy")
            transport.closed = closed
            return transport
        except NotAllowed:
            closed = closed or place
            reasons.append(f"{place}: not for this user, try sudo")
        except Unreachable as problem:
            reasons.append(f"{place}: {problem}")
    if len(places) == 1:
        raise Problem(f"no agent answers at {reasons[0]}")
    if closed:
        raise Problem(f"no agent answers at {TCP}, and {closed} is not for this user: try sudo")
    raise Problem("no agent runs here; start one with: sudo scalpels agent   (or name one with --url)")


class Client:
    """Each call raises Problem when the agent refuses or is gone."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def listing(self) -> Listing:
        answer = self._request("GET", TRACERS)
        if answer.status != 200:
            raise Problem(self._refusal(answer))
        content = _json(answer)
        try:
            agent, tracers = content["agent"], [_told(status) for status in content["tracers"]]
            return Listing(clean(str(agent["version"])), float(agent["now"]), tracers, answer.content)
        except (KeyError, TypeError, ValueError):
            raise Problem(NO_AGENT) from None

    def tracer(self, name: str) -> Told:
        answer = self._request("GET", f"{TRACERS}/{quote(name, safe='')}")
        if answer.status != 200:
            raise Problem(self._refusal(answer))
        try:
            return _told(_json(answer))
        except (KeyError, TypeError, ValueError):
            raise Problem(NO_AGENT) from None

    def start(self, tracer: str, lease: float | None, reason: str) -> str:
        """What the agent says to it. `lease` is in seconds."""
        return self._order("start", tracer, {"reason": reason, **({"for": lease} if lease else {})})

    def stop(self, tracer: str, reason: str) -> str:
        return self._order("stop", tracer, {"reason": reason})

    def reload(self) -> str:
        """Raises Problem with one line for each mistake."""
        answer = self._request("POST", "/-/reload")
        if answer.status == 200:
            return _lines(answer)
        raise Problem(self._refusal(answer), USAGE if answer.status == 500 else FAILED)

    def _order(self, verb: str, tracer: str, body: Mapping[str, object]) -> str:
        answer = self._request("POST", f"{TRACERS}/{quote(tracer, safe='')}/{verb}", body)
        if answer.status == 404:
            raise Problem(self._unknown(tracer), USAGE)
        if answer.status != 200:
            raise Problem(self._refusal(answer), USAGE if answer.status == 400 else FAILED)
        return clean(str(_json(answer).get("why", "")))

    def _unknown(self, tracer: str) -> str:
        from difflib import get_close_matches

        names = [told.name for told in self.listing().tracers]
        near = get_close_matches(tracer, names, 1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(names)}"
        return f"no tracer is called {tracer[:64]!r}; {hint}"

    def _request(self, method: str, path: str, body: object = None) -> Answer:
        from scalpels_exporter.cli.transport import Unreachable

        try:
            return self._transport.request(method, path, body)
        except Unreachable as problem:
            raise Problem(f"the agent does not answer: {problem}") from None

    def _refusal(self, answer: Answer) -> str:
        if answer.status == 401:
            return f"{_lines(answer)}: give --user NAME, and the password in {PASSWORD}"
        if answer.status == 403 and self._transport.closed:
            return f"{self._transport.closed} is for root and the agent's own user: try sudo"
        try:
            return clean(str(_json(answer)["error"]))
        except (Problem, KeyError):
            return _lines(answer) or f"the agent answered with status {answer.status}"


def _json(answer: Answer) -> dict[str, Any]:
    import orjson

    try:
        content = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        raise Problem(NO_AGENT)
    return content


def _lines(answer: Answer) -> str:
    return "\n".join(map(clean, answer.text.splitlines()))


def _told(status: Mapping[str, Any]) -> Told:
    """Raises KeyError, TypeError or ValueError where it is no `Status`."""
    lease = status["lease_until"]
    return Told(
        clean(status["tracer"]),
        clean(status["state"]),
        clean(status["why"]),
        float(status["since"]),
        int(status["series"]),
        sum(map(int, status["rejected"].values())),
        float(status["cpu_seconds"]),
        float(status["memory_bytes"]),
        None if lease is None else float(lease),
    )
