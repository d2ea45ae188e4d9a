"""The tests' side of a load: starts the child program, gives it jobs and hears its reports."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import pytest

from loads.reports import AmqpReport, HttpReport, RpcReport, SqlReport
from loads.target import Target

TESTS = Path(__file__).parent.parent
R = TypeVar("R", SqlReport, HttpReport, AmqpReport, RpcReport)


class Load(Generic[R]):
    """`client` is the program loads/<client>_load.py; `mark` stands in its command line, for a rule that names it, and
    `words` follow it there. `python` is who runs it. `options` are the client's own (each says them in its docstring).
    A context manager; the child is ended after.
    """

    report: type[R]

    def __init__(
        self,
        client: str,
        target: Target,
        mark: str = "mark-of-the-load",
        words: Sequence[str] = (),
        python: str | Path = sys.executable,
        **options: Any,
    ) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # closed by end()
        self._process = subprocess.Popen(
            [str(python), "-m", f"loads.{client}_load", mark, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={**os.environ, "PYTHONPATH": str(TESTS), "PYTHONDONTWRITEBYTECODE": "1"},
        )
        self.pid = self._process.pid
        self._heard = b""
        try:
            assert self._line(60) == "ready"
            self.say("use", target=asdict(target), options={**options, "mark": mark})
            self._answer(10)
        except BaseException:
            self.end()
            raise

    def do(self, job: str, /, *, within: float = 300, **arguments: Any) -> R:
        """The report of one job, which may take so many seconds."""
        self.say(job, **arguments)
        return self.hear(within)

    def say(self, job: str, /, **arguments: Any) -> None:
        """Begins a job; `hear` ends it."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{job} {json.dumps(arguments)}\n".encode())
        self._process.stdin.flush()

    def hear(self, within: float = 300) -> R:
        return self.report.from_dict(self._answer(within))

    def _answer(self, seconds: float) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._line(seconds))
        if "unsupported" in answer:
            raise NotSupported(answer["unsupported"])
        if "failed" in answer:
            pytest.fail(f"a job failed inside the load:\n{answer['failed']}")
        found: dict[str, Any] = answer["answer"]
        return found

    def _line(self, seconds: float) -> str:
        assert self._process.stdout is not None
        deadline = time.monotonic() + seconds
        while b"\n" not in self._heard:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(self._process.stdout.fileno(), 1 << 20) if ready else b""
            if not chunk:
                self._said.seek(0)
                why = "ended" if ready else f"says nothing for {seconds} s"
                pytest.fail(f"the load {why}: {self._said.read().decode(errors='replace')}")
            self._heard += chunk
        line, _, self._heard = self._heard.partition(b"\n")
        return line.decode()

    def end(self) -> int:
        """Closes its stdin and waits; its exit status."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            status = self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._said.close()
        return status

    def kill(self) -> None:
        """SIGKILL: its connections are lost."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.end()


class NotSupported(Exception):
    """The client cannot do that job."""


class SqlLoad(Load[SqlReport]):
    """Clients: pymysql, mysqlclient, connector, psycopg, asyncpg, sqlalchemy. Jobs: sql_jobs.py."""

    report = SqlReport


class HttpLoad(Load[HttpReport]):
    """Clients: raw, urllib3, requests, aiohttp, curl. Jobs: http_jobs.py."""

    report = HttpReport


class AmqpLoad(Load[AmqpReport]):
    """Clients: pika, kombu; their jobs stand in them."""

    report = AmqpReport


class RpcLoad(Load[RpcReport]):
    """Clients: oslo_client, oslo_server, each with one word: threading or eventlet; their jobs stand in them."""

    report = RpcReport
