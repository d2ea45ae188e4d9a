"""The agent's log on stderr: one event a line, logfmt or JSON. What is logged is decided where it happens."""

from __future__ import annotations

import json
import logging
import os
import re
import select
import time

import orjson

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
FORMATS = ("logfmt", "json")
MOST_CHARACTERS = 4096  # of one value
STDERR = 2
# A pipe that poll() calls writable takes so many bytes without blocking.
PIECE_BYTES = select.PIPE_BUF

_BARE = re.compile(r"[^\s\"=]+\Z")


def get(component: str) -> logging.Logger:
    return logging.getLogger(f"scalpels.{component}")


def setup(level: str, style: str) -> None:
    """`level` is one of LEVELS, `style` one of FORMATS."""
    handler = Unblocked(STDERR)
    handler.setFormatter(_Json() if style == "json" else _Logfmt())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level])
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # what matters of it is reported by the loop's handler
    logging.raiseExceptions = False  # a closed stderr must not end the agent


class Unblocked(logging.Handler):
    """Writes lines to a file that others share, so that its mode stays; whoever does not read it stops nobody.

    What cannot be written at once is dropped, and the next line that can be says how much that was.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.dropped = 0  # lines
        self._descriptor = descriptor
        self._broken = False  # in the middle of a line
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self.dropped and self._write(self._line_about_dropped()):
                self.dropped = 0
            if not self._write(self.format(record)):
                self.dropped += 1
        except Exception:
            self.handleError(record)

    def _line_about_dropped(self) -> str:
        record = logging.makeLogRecord({"name": "scalpels.log", "levelno": logging.WARNING, "levelname": "WARNING"})
        record.msg = "stderr was not read: lines are missing here"
        record.fields = {"lines": self.dropped}
        return self.format(record)

    def _write(self, line: str) -> bool:
        data = ("\n" if self._broken else "").encode() + line.encode("utf-8", "replace") + b"\n"
        for begin in range(0, len(data), PIECE_BYTES):
            if not any(events & select.POLLOUT for _, events in self._poll.poll(0)):
                self._broken = self._broken or begin > 0
                return False
            os.write(self._descriptor, data[begin : begin + PIECE_BYTES])
        self._broken = False
        return True


def _fields(record: logging.LogRecord) -> dict[str, str]:
    """`extra={"fields": {...}}` adds to the standard ones."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    fields = {
        "ts": f"{moment}.{int(record.msecs):03d}Z",
        "level": "warn" if record.levelno == logging.WARNING else record.levelname.lower(),
        "component": record.name.rpartition(".")[2],
        "msg": record.getMessage()[:MOST_CHARACTERS],
    }
    if record.exc_info and record.exc_info[1] is not None:
        fields["error"] = f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}"[:MOST_CHARACTERS]
    fields.update({k: str(v)[:MOST_CHARACTERS] for k, v in getattr(record, "fields", {}).items()})
    return fields


class _Logfmt(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return " ".join(f"{k}={v if _is_bare(v) else _quote(v)}" for k, v in _fields(record).items())


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return "{" + ",".join(f"{_quote(k)}:{_quote(v)}" for k, v in _fields(record).items()) + "}"


def _is_bare(text: str) -> bool:
    return _BARE.match(text) is not None and text.isprintable()


def _quote(text: str) -> str:
    """As JSON does it; and what JSON leaves as it is but a terminal or a line reader does not, is escaped too."""
    quoted = orjson.dumps(text.encode("utf-8", "replace").decode()).decode()
    return quoted if quoted.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in quoted)
