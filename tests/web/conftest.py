"""A server on a loop of its own thread, a raw client, and certificates, for the tests of the web room."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from web_client import Client
from web_disk import Disk
from web_fake import Agent

from scalpels_exporter.web.limits import Limits
from scalpels_exporter.web.server import Server

HERE = Path(__file__).parent


@dataclass
class Running:
    """A server that runs; the test's own thread talks to it over real sockets."""

    agent: Agent
    server: Server
    loop: asyncio.AbstractEventLoop
    registry: CollectorRegistry
    complaints: list[dict[str, Any]] = field(default_factory=list)

    @property
    def port(self) -> int:
        return next(int(a.rpartition(":")[2]) for a in self.server.addresses if not a.startswith("unix:"))

    def client(self, seconds: float = 10.0, context: ssl.SSLContext | None = None) -> Client:
        return Client(socket.create_connection(("127.0.0.1", self.port), seconds), context)

    def get(self, path: str, *lines: str, method: str = "GET", body: bytes = b"", **how: Any) -> Any:
        with self.client(**how) as client:
            return client.ask(method, path, *lines, body=body)

    def call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def counted(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


Serve = Callable[..., Running]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """serve(addresses=…, agent=…, config=PATH, **limits) → Running; at the end nothing may be left on the loop."""
    loop = asyncio.new_event_loop()
    complaints: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: complaints.append(context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    started: list[Running] = []

    def start(
        addresses: tuple[str, ...] = ("127.0.0.1:0",),
        agent: Agent | None = None,
        config: Path | None = None,
        fetch: Any = None,
        **limits: Any,
    ) -> Running:
        agent = agent or Agent()
        registry = CollectorRegistry()
        server = Server(
            agent,
            addresses,
            registry=registry,
            fetch=fetch or (Disk(config) if config else None),
            version="0.1.0",
            node="here",
            limits=Limits(**limits),
        )
        running = Running(agent, server, loop, registry, complaints)
        running.call(server.start())
        started.append(running)
        return running

    async def tasks() -> int:
        return len(asyncio.all_tasks()) - 1

    try:
        yield start
        for running in started:
            running.call(running.server.close())
        left = asyncio.run_coroutine_threadsafe(tasks(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
    assert left == 0, "tasks were left on the loop"
    assert complaints == []


@dataclass(frozen=True)
class Authority:
    """A certificate authority of the test's own, by the openssl command."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.crt"

    def issue(self, name: str, sans: str = "IP:127.0.0.1,DNS:localhost") -> tuple[Path, Path]:
        key, csr, crt, ext = (self.folder / f"{name}.{end}" for end in ("key", "csr", "crt", "ext"))
        ext.write_text(f"subjectAltName={sans}\n")
        _openssl("req", "-new", *_KEY, "-keyout", str(key), "-out", str(csr), "-subj", f"/CN={name}")
        _openssl(
            *("x509", "-req", "-in", str(csr), "-CA", str(self.ca), "-CAkey", str(self.folder / "ca.key")),
            *("-CAcreateserial", "-days", "2", "-extfile", str(ext), "-out", str(crt)),
        )
        return crt, key

    def trusting(self, certificate: tuple[Path, Path] | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.ca))
        if certificate:
            context.load_cert_chain(*certificate)
        return context


_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    if not shutil.which("openssl"):
        pytest.skip("needs the Debian package openssl")
    folder = tmp_path_factory.mktemp("authority")
    _openssl(
        *("req", "-x509", *_KEY, "-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.crt")),
        *("-subj", "/CN=test authority", "-days", "2", "-addext", "keyUsage=critical,keyCertSign"),
    )
    return Authority(folder)


@dataclass
class Child:
    process: subprocess.Popen[str]
    port: int

    def resident_bytes(self) -> int:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def client(self, seconds: float = 10.0) -> Client:
        return Client(socket.create_connection(("127.0.0.1", self.port), seconds))


@pytest.fixture
def child() -> Iterator[Callable[..., Child]]:
    """child(body_bytes=…, web_config=…, limits={…}) → a server in a process of its own."""
    processes = []

    def start(**wish: Any) -> Child:
        wish.setdefault("addresses", ["127.0.0.1:0"])
        process = subprocess.Popen(
            [sys.executable, str(HERE / "web_child.py"), json.dumps(wish)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stdout is not None
        bound = json.loads(process.stdout.readline())
        return Child(process, int(bound["addresses"][0].rpartition(":")[2]))

    yield start
    for process in processes:
        process.communicate(timeout=30)
        assert process.returncode == 0
