"""Debian's Prometheus on a port of its own, scraping one target every second, and what its query API says."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import requests
from running import wait_until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Prometheus:
    def __init__(self, folder: Path, target: str, rules: Sequence[Path] = (), *flags: str) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        config = folder / "prometheus.yml"
        job = {
            "job_name": "scalpels",
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "static_configs": [{"targets": [target]}],
        }
        config.write_text(json.dumps({"rule_files": [str(rule) for rule in rules], "scrape_configs": [job]}))
        self._log = (folder / "prometheus.log").open("wb")
        self.process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address={self.url.removeprefix('http://')}",
                *flags,
            ],
            stdout=self._log,
            stderr=self._log,
        )

    def query(self, expression: str) -> list[dict[str, Any]]:
        answer = requests.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=5).json()
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def ask(self, path: str, **parameters: str) -> Any:
        """What its API answers; fails with its reason if it refuses."""
        answer = requests.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=10).json()
        assert answer["status"] == "success", f"{parameters}: {answer.get('error')}"
        return answer["data"]

    def number(self, expression: str) -> float | None:
        found = self.query(expression)
        return float(found[0]["value"][1]) if found else None

    def await_scrape(self) -> None:
        """Until a scrape that begins after this call has been taken in whole."""
        then = time.time()
        # The timestamp of a selector is its sample's, the scrape's beginning; that of an expression would be now.
        wait_until(lambda: (self.number("timestamp(up{job='scalpels'})") or 0) > then, 30, "it is scraped again")
        assert self.number("up{job='scalpels'}") == 1

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self._log.close()
