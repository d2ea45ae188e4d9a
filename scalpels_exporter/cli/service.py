"""Whether an agent runs here or could: its configuration, its port. Starts nothing and keeps no port."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

from scalpels_exporter.cli import client
from scalpels_exporter.cli.check import describe
from scalpels_exporter.cli.exits import Problem
from scalpels_exporter.cli.host import BAD, NOTE, OK, Finding
from scalpels_exporter.config.load import load
from scalpels_exporter.config.settings import Mistakes, Settings

PORT = 10919
LOOK_SECONDS = 3.0


def configuration(path: Path | None) -> tuple[Settings | None, Finding]:
    """The settings, None when there are mistakes."""
    try:
        settings = load(path)
    except Mistakes as mistakes:
        more = f" (and {len(mistakes.found) - 1} more)" if len(mistakes.found) > 1 else ""
        return None, Finding("configuration", BAD, f"{mistakes.found[0]}{more}", "scalpels check shows all of them")
    except OSError as error:
        return None, Finding("configuration", BAD, f"{error.filename}: {error.strerror}", "sudo scalpels doctor")
    source = settings.source or "no file, so the defaults"
    return settings, Finding("configuration", OK, f"{source}: {describe(settings)}")


def port(number: int = PORT, seconds: float = LOOK_SECONDS) -> Finding:
    """`seconds` are given to whoever listens there for an answer."""
    taken = _taken(number)
    if not taken:
        return Finding("port", OK, f"{number} is free")
    try:
        listing = client.Client(client.found([f"http://127.0.0.1:{number}"], answer_seconds=seconds)).listing()
        return Finding("port", OK, f"{number}: the agent runs, version {listing.version}")
    except Problem:
        cure = f"ss -ltnp sport = :{number} shows by whom; or scalpels agent --web.listen-address :OTHER"
        return Finding(
            "port", NOTE, f"{number} is in use ({taken}), and no agent of ours answers without password", cure
        )


def _taken(number: int) -> str:
    """Why an agent could not listen there, "" when it could."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        code = 0
        try:
            probe.bind(("", number))
            probe.listen(1)
        except OSError as error:
            code = error.errno or errno.EIO
    return os.strerror(code) if code else ""
