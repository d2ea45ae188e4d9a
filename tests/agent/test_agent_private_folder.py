"""A checkout that root alone can read, as one in /root: the agent gives root up and needs the folder no more."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from running import QUIET, ROOT, wait_until

pytestmark = pytest.mark.root


def test_the_agent_serves_everything_from_a_folder_that_it_cannot_read(
    open_folder: Path, workers: Path, until: Callable[..., Any]
) -> None:
    private = open_folder / "private"
    private.mkdir(mode=0o700)
    for name in ("scalpels_exporter", "tracers"):
        shutil.copytree(ROOT / name, private / name)
    config = private / "scalpels.yaml"
    config.write_text(QUIET.replace("  system: off\n", "") + "  vpn: {command: \"/bin/sh -c 'echo 1; sleep 60'\"}\n")
    log = open_folder / "log"
    command = [sys.executable, "-m", "scalpels_exporter", "agent", f"--config.file={config}"]
    command += ["--web.listen-address=127.0.0.1:0", f"--web.socket={open_folder}/run/agent.sock"]
    with log.open("wb") as out:
        agent = subprocess.Popen(command, cwd=private, stdout=out, stderr=out)
    try:
        wait_until(lambda: "agent started" in log.read_text(), 15)
        url = "http://127.0.0.1:" + log.read_text().split("127.0.0.1:")[1].split(",")[0]
        until(lambda: 'scalpels_worker_up{tracer="system"} 1.0' in requests.get(f"{url}/metrics", timeout=5).text)
        until(lambda: "scalpels_vpn_value" in requests.get(f"{url}/metrics", timeout=5).text)
        for path in ("/", "/page/page.js", "/api/v1/tracers", "/-/ready"):
            assert requests.get(url + path, timeout=5).status_code == 200
        openmetrics = {"Accept": "application/openmetrics-text;version=1.0.0", "Accept-Encoding": "gzip"}
        assert "# EOF" in requests.get(f"{url}/metrics", headers=openmetrics, timeout=5).text
        assert requests.post(f"{url}/-/reload", timeout=10).status_code == 200
        assert "internal error" not in log.read_text()
    finally:
        agent.terminate()
        agent.wait(10)
