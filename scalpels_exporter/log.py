"""The agent's log on stderr: one event a line, logfmt or JSON. What is logged is decided where it happens."""

from __future__ import annotations

import logging
import re
import sys
import time

import orjson

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
FORMATS = ("logfmt", "json")
MOST_CHARACTERS = 4096  # of one value

_BARE = re.compile(r"[^\s\"=]+\Z")


def get(component: str) -> logging.Logger:
    return logging.getLogger(f"scalpels.{component}")


def setup(level: str, style: str) -> None:
    """`level` is one of LEVELS, `style` one of FORMATS."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if style == "json" else _Logfmt())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level])
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # what matters of it is reported by the loop's handler
    logging.raiseExceptions = False  # a closed stderr must not end the agent


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
        return " ".join(f"{k}={v if _BARE.match(v) else _quote(v)}" for k, v in _fields(record).items())


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return orjson.dumps(_fields(record)).decode()


def _quote(text: str) -> str:
    return orjson.dumps(text.encode("utf-8", "replace").decode()).decode()
