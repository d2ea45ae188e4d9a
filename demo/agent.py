"""The agent with its default tracers, as a user would start it: a file of rules for names, and where it listens."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

import requests
import yaml

from demo.children import LOOPBACK, Child
from demo.waiting import wait_for

# It is scraped three times as often as elsewhere, on a machine that may have two processors: the share of a node that
# tracing may take is raised, or it would be sampled down in the middle of the demo.
OVERHEAD = 0.15
DIGESTS = 50  # off by default: texts of statements, without their literals


def settings(names: dict[str, str]) -> str:
    rules = [{"name": name, "cmdline": pattern} for name, pattern in names.items()]
    return yaml.safe_dump(
        {"programs": rules, "budgets": {"overhead": OVERHEAD}, "tracers": {"sql": {"digests": DIGESTS}}}
    )


class Agent(Child):
    def __init__(self, stack: ExitStack, folder: Path, names: dict[str, str], port: int) -> None:
        own = folder / "agent"
        own.mkdir()
        own.chmod(0o777)  # by the time that it listens it is root no more
        file = folder / "scalpels.yaml"
        file.write_text(settings(names))
        self.url = f"http://{LOOPBACK}:{port}"
        super().__init__(
            "agent",
            folder,
            [
                *(sys.executable, "-m", "scalpels_exporter", "agent", f"--config.file={file}"),
                *(f"--web.listen-address={LOOPBACK}:{port}", f"--web.socket={own / 'agent.sock'}"),
            ],
            drops_root=True,
        )
        stack.enter_context(self)
        wait_for(lambda: not self.starting(), 90, "every tracer is up", self)

    def starting(self) -> list[str]:
        """Tracers that should run and do not yet."""
        answer = requests.get(f"{self.url}/api/v1/tracers", timeout=5).json()
        return [one["tracer"] for one in answer["tracers"] if one["state"] in ("starting", "backoff")]

    def not_running(self) -> dict[str, str]:
        """Tracers that should run and cannot here, with the reason."""
        answer = requests.get(f"{self.url}/api/v1/tracers", timeout=5).json()
        return {
            one["tracer"]: one.get("why") or one["state"]
            for one in answer["tracers"]
            if one["state"] not in ("running", "stopped")
        }
