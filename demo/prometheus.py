"""Debian's Prometheus on loopback, with the rules that are shipped, unchanged, and a scrape of the agent."""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import requests

from demo.children import LOOPBACK, PATH, ROOT, Child, Trouble
from demo.waiting import wait_for

EVERY = "5s"  # a scrape; 15 s would do as well, and show the first lines three times as late
RULES = ROOT / "dashboards" / "rules"


class Prometheus:
    """`assets` is a folder that it serves under /user."""

    def __init__(self, stack: ExitStack, folder: Path, target: str, port: int, assets: Path) -> None:
        if shutil.which("prometheus", path=PATH) is None:
            raise Trouble("needs prometheus; sudo make demo installs it")
        self._stack, self._folder, self._port, self._assets = stack, folder, port, assets
        self.data = folder / "prometheus-data"
        self.url = f"http://{LOOPBACK}:{port}"
        job = {"job_name": "scalpels", "static_configs": [{"targets": [target]}]}
        self._config = folder / "prometheus.yml"
        self._config.write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": EVERY, "scrape_timeout": "4s"},
                    "rule_files": [f"{RULES}/*.yaml"],
                    "scrape_configs": [job],
                }
            )
        )
        self.child = self._started()

    def _started(self) -> Child:
        command = [
            *("prometheus", f"--config.file={self._config}", f"--storage.tsdb.path={self.data}"),
            *(f"--web.listen-address={LOOPBACK}:{self._port}", f"--web.user-assets={self._assets}"),
        ]
        child = self._stack.enter_context(Child("prometheus", self._folder, command))
        wait_for(self._ready, 30, "Prometheus answers", child)
        return child

    def _ready(self) -> bool:
        return requests.get(f"{self.url}/-/ready", timeout=5).ok

    def take_in(self, blocks: Path) -> None:
        """It is started anew with these among its data; no longer away than a scrape or two."""
        self.child.end()
        for block in blocks.iterdir():
            block.rename(self.data / block.name)
        self.child = self._started()

    def ask(self, query: str) -> list[dict[str, Any]]:
        """An instant query's vector."""
        answer = requests.get(f"{self.url}/api/v1/query", params={"query": query}, timeout=10).json()
        if answer["status"] != "success":
            raise OSError(answer["error"])
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def alerts(self) -> list[dict[str, Any]]:
        """All that are pending or firing, with their texts."""
        found: list[dict[str, Any]] = requests.get(f"{self.url}/api/v1/alerts", timeout=10).json()["data"]["alerts"]
        return found
