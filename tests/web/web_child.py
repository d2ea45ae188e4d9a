"""A server in a process of its own, so that its memory can be measured and its page be looked at.

    python tests/web/web_child.py '{"addresses": ["127.0.0.1:0"], "body_bytes": 11000000}'

Prints one JSON line with the bound addresses, then serves until its stdin closes.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from prometheus_client import CollectorRegistry
from web_fake import PIECE, SMALL, Agent

from scalpels_exporter.web import webfiles
from scalpels_exporter.web.limits import Limits
from scalpels_exporter.web.server import Server
from scalpels_exporter.web.webfiles import WebFiles


class Disk:
    """Plays the privileged side: reads the web configuration when it changed."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.last: WebFiles | None = None

    async def __call__(self) -> WebFiles | None:
        if self.last is not None and not webfiles.changed(self.last):
            return None
        self.last = webfiles.read(self.path)
        return self.last


async def main() -> None:
    wish = json.loads(sys.argv[1])
    size = wish.get("body_bytes", 0)
    agent = Agent([PIECE] * (size // len(PIECE)) if size else [SMALL])
    config = wish.get("web_config")
    server = Server(
        agent,
        wish["addresses"],
        registry=CollectorRegistry(),
        fetch=Disk(config) if config else None,
        version="0.1.0",
        node=os.uname().nodename,
        limits=Limits(**wish.get("limits", {})),
    )
    await server.start()
    print(json.dumps({"addresses": server.addresses, "pid": os.getpid()}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.close()


asyncio.run(main())
