"""A running agent for tests, and waiting for a condition. Imported by name: pytest puts this folder on its path."""

from __future__ import annotations

import atexit
import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from scalpels_exporter.catalog import find
from scalpels_exporter.config.load import load
from scalpels_exporter.needs import required

ROOT = Path(__file__).parent.parent
# Switches off every tracer that is on by default: the beginning of a configuration with a test's own ones alone.
ENABLED = [name for name, chosen in load(None).tracers.items() if chosen.enabled]
QUIET = "tracers:\n" + "".join(f"  {name}: off\n" for name in ENABLED)
WORKERS = Path(__file__).parent / "workers"


def quiet_but(*names: str) -> str:
    """QUIET, less what the test configures itself. The loads of tests are dearer than the budget of a node allows."""
    return "budgets: {overhead: 1}\ntracers:\n" + "".join(f"  {name}: off\n" for name in ENABLED if name not in names)


def default_tracers() -> set[str]:
    """All that run where nothing is configured: with what they need, and with their hosts."""
    every = {name: found.tracer for name, found in find().items()}
    on = {name for name, tracer in every.items() if tracer.default}
    on |= {one.name for name in on for one in required(every[name], every)}
    on |= {every[name].host for name in on} - {""}
    assert {"programs", "wire"} <= on
    return on


@cache
def public_python() -> tuple[str, dict[str, str]]:
    """An interpreter and its environment that any user can run this code with, wherever the checkout lies.

    A copy of the package and of what it depends on, made once, because a checkout in root's home is root's alone.
    """
    folder = Path(tempfile.mkdtemp(prefix="scalpels-public-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in ("scalpels_exporter", "tracers"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    wanted, seen = ["scalpels-exporter"], set[str]()
    while wanted:
        name = re.split(r"[^\w.-]", wanted.pop())[0]
        if name in seen:
            continue
        seen.add(name)
        with contextlib.suppress(metadata.PackageNotFoundError):  # an extra's, or another platform's
            found = metadata.distribution(name)
            wanted += [line for line in found.requires or [] if "extra ==" not in line]
            for file in [] if name == "scalpels-exporter" else found.files or []:
                if ".." not in file.parts and file.locate().is_file():
                    (folder / file).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(file.locate(), folder / file)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    return str(Path(sys.executable).resolve()), {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}


T = TypeVar("T")


def wait_until(condition: Callable[[], T], seconds: float = 10.0, what: str = "") -> T:
    """Polls `condition` until it is true and gives back what it gave; fails with `what` after `seconds`.

    An AssertionError or OSError inside counts as "not yet".
    """
    deadline = time.monotonic() + seconds
    last: object = None
    while True:
        try:
            found = condition()
            if found:
                return found
            last = found
        except (AssertionError, OSError) as error:
            last = error
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s: {what or condition} (last: {last!r})")
        time.sleep(0.02)  # the one place that waits


def processes_of(pid: int) -> list[int]:
    """`pid` and all its living descendants, over every thread's children."""
    found, queue = [], [pid]
    while queue:
        one = queue.pop()
        found.append(one)
        with contextlib.suppress(OSError):  # it, or one of its threads, ended in this moment
            for task in Path(f"/proc/{one}/task").iterdir():
                with contextlib.suppress(OSError):
                    queue += [int(word) for word in (task / "children").read_text().split()]
    return found


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class RunningAgent:
    """The real `scalpels agent` in a process of its own, on an ephemeral port and with its own control socket."""

    def __init__(self, folder: Path, config: str, *flags: str, user: list[str] | None = None) -> None:
        self.folder = folder
        self.config = folder / "scalpels.yaml"
        self.config.write_text(config)
        self.log = folder / "agent.log"
        self.socket = folder / "run" / "agent.sock"
        (folder / "run").mkdir(exist_ok=True)
        (folder / "run").chmod(0o777)
        command = [
            *(user or []),
            *(sys.executable, "-m", "scalpels_exporter", "agent", f"--config.file={self.config}"),
            "--web.listen-address=127.0.0.1:0",
            f"--web.socket={self.socket}",
            *flags,
        ]
        self._log_file = self.log.open("wb")
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log_file, stderr=self._log_file, cwd=ROOT
        )
        self.pid = self.process.pid
        try:
            found = wait_until(lambda: re.search(r"127\.0\.0\.1:(\d+)", self._started()), 20, "the agent's port")
        except BaseException:
            self.close()
            raise
        self.port = int(found[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.seen: set[int] = set()

    def _started(self) -> str:
        if self.process.poll() is not None:
            pytest.fail(f"the agent ended with {self.process.returncode}:\n{self.log.read_text()}")
        return next((line for line in self.log.read_text().splitlines() if "agent started" in line), "")

    def get(self, path: str = "/metrics", timeout: float = 10.0, **headers: str) -> requests.Response:
        return requests.get(self.url + path, headers=headers, timeout=timeout)

    def post(self, path: str, body: object = None) -> requests.Response:
        return requests.post(self.url + path, json=body, timeout=10)

    def samples(self, **headers: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """(sample's name, sorted labels) → value, from one scrape."""
        response = self.get(**headers)
        assert response.status_code == 200, response.text
        families = text_string_to_metric_families(response.text)
        return {(s.name, tuple(sorted(s.labels.items()))): s.value for f in families for s in f.samples}

    def value(self, name: str, **labels: str) -> float | None:
        return self.samples().get((name, tuple(sorted(labels.items()))))

    def tracer(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/api/v1/tracers/{name}").json()
        return found

    def running(self) -> set[str]:
        """The tracers that run."""
        listed = self.get("/api/v1/tracers").json()["tracers"]
        return {one["tracer"] for one in listed if one["state"] == "running"}

    def tree(self) -> list[int]:
        """Every process of the agent; remembered, so that what survives it can be looked for."""
        now = processes_of(self.pid)
        self.seen.update(now)
        return now

    def survivors(self) -> list[int]:
        return [pid for pid in self.seen if lives(pid)]

    def close(self) -> None:
        if self.process.poll() is None:
            self.tree() if hasattr(self, "seen") else None
            self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log_file.close()
