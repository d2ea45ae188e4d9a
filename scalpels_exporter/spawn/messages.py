"""The few messages between the agent proper and the spawner, over one SOCK_SEQPACKET socket.

Text, one packet each, at most LIMIT bytes: a verb and its words, separated by one blank. A packet may carry
file descriptors. Decoding is strict, because the reader of an order holds privileges: what is not exactly one
of these is Refused. Nothing here sends a path, a command or a user: a tracer is named, nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LIMIT = 512

_NAME = re.compile(r"[a-z][a-z0-9]{0,31}\Z")
_RUN = re.compile(r"[0-9]{1,12}\Z")


class Refused(Exception):
    """Not a message of this protocol; the text says why."""


@dataclass(frozen=True, slots=True)
class Start:
    """Fork a worker for the declared tracer. `run` is chosen by the sender and names this life of it."""

    tracer: str
    run: int


@dataclass(frozen=True, slots=True)
class Terminate:
    """SIGTERM to the worker's group, if `run` is its present life."""

    tracer: str
    run: int


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL to the worker's group and whatever it left behind."""

    tracer: str
    run: int


@dataclass(frozen=True, slots=True)
class Reload:
    """Read the configuration again; answered by Settings or Mistaken."""


@dataclass(frozen=True, slots=True)
class ReadWeb:
    """Read the web configuration's files if they changed; answered by Web or WebSame."""


Order = Start | Terminate | Kill | Reload | ReadWeb


def encode(order: Order) -> bytes:
    match order:
        case Start(tracer, run):
            return f"start {tracer} {run}".encode()
        case Terminate(tracer, run):
            return f"terminate {tracer} {run}".encode()
        case Kill(tracer, run):
            return f"kill {tracer} {run}".encode()
        case Reload():
            return b"reload"
        case ReadWeb():
            return b"web"


_WORKER_ORDERS: dict[str, type[Start] | type[Terminate] | type[Kill]] = {
    "start": Start,
    "terminate": Terminate,
    "kill": Kill,
}


def decode(packet: bytes) -> Order:
    """The order in `packet`, or Refused."""
    if len(packet) > LIMIT:
        raise Refused(f"a message of {len(packet)} bytes or more; at most {LIMIT} are read")
    try:
        words = packet.decode("ascii").split(" ")
    except UnicodeDecodeError:
        raise Refused("a message that is not ASCII") from None
    match words:
        case ["reload"]:
            return Reload()
        case ["web"]:
            return ReadWeb()
        case [verb, tracer, run] if verb in _WORKER_ORDERS:
            if not _NAME.match(tracer) or not _RUN.match(run):
                raise Refused(f"{verb}: not the name of a tracer and a number")
            return _WORKER_ORDERS[verb](tracer, int(run))
    raise Refused(f"an unknown message: {words[0][:32]!r}")


# What the spawner answers. The reader trusts it: it holds more privileges than the reader.
#   started TRACER RUN PID        with the worker's stdin, stdout, stderr
#   unstarted TRACER RUN TEXT     there is no worker, and why
#   ended TRACER RUN exit:N|signal:N|host:N    host: it lived in another one's worker, which ended so (-N: by a signal)
#   settings ok|mistakes|broken   with a memory file: pickled Settings, a pickled list of Mistake, or a line of text
#   settings busy                 another reading is under way
#   web ok|mistakes|broken|busy   the same with WebFiles; or `web same` alone
#   refused TEXT


_WORDS_BEFORE_TEXT = {"refused": 1, "unstarted": 3}


def split(packet: bytes) -> list[str]:
    """The words of an answer; a text at its end keeps its blanks."""
    text = packet.decode("utf-8", "replace")
    verb = text.partition(" ")[0]
    return text.split(" ", _WORDS_BEFORE_TEXT.get(verb, -1))
