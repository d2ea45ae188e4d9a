"""How every tracer's test gets at its stem, and runs a script tracer as a worker would."""

from __future__ import annotations

import importlib.util
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

import pytest

from scalpels_exporter.declare import Tracer
from scalpels_exporter.intake.intake import Intake
from scalpels_exporter.intake.snapshot import LabelValues, Snapshot, Value

TRACERS = Path(__file__).parents[2] / "tracers"


def load_stem(name: str) -> ModuleType:
    """The module of a tracer's stem."""
    spec = importlib.util.spec_from_file_location(f"stem_{name}", TRACERS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(name="stem", scope="session")
def stem_fixture() -> Callable[[str], ModuleType]:
    return load_stem


class Script:
    """A script tracer in a session of its own, its output read as the agent reads it."""

    def __init__(self, tracer: Tracer, argv: Sequence[str], environment: dict[str, str] | None = None) -> None:
        self.intake = Intake(tracer, tracer.series, time.time)
        self.process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=environment,
        )

    def tick(self, seconds: float = 10.0) -> Snapshot:
        """The snapshot that answers one newline; the agent must find nothing wrong with it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        deadline = time.monotonic() + seconds
        while True:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not chunk:
                pytest.fail(f"no snapshot: {'the end' if ready else 'nothing'}; {self.end()}")
            snapshot = self.intake.feed(chunk)
            assert self.intake.complaints() == []
            if snapshot is not None:
                return snapshot

    def values(self, metric: str) -> dict[LabelValues, Value]:
        return dict(self.tick().families.get(metric, {}))

    def end(self) -> tuple[int, str]:
        """Closes stdin and gives exit status and stderr."""
        try:
            _, said = self.process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail("a closed stdin does not end the script within 5 s")
        return self.process.returncode, said.decode()

    def kill(self) -> None:
        """SIGKILL to all of its session."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()


@pytest.fixture(name="script")
def script_fixture() -> Iterator[Callable[..., Script]]:
    """Starts script tracers; all are ended after the test."""
    started: list[Script] = []

    def start(tracer: Tracer, argv: Sequence[str], environment: dict[str, str] | None = None) -> Script:
        started.append(Script(tracer, argv, environment))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.kill()
        for pipe in (one.process.stdin, one.process.stdout, one.process.stderr):
            if pipe is not None:
                pipe.close()
