"""Grafana where it is installed, with the data source and the dashboards provisioned; on loopback, without a login."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path

import requests
import yaml

from demo.children import LOOPBACK, PATH, ROOT, Child
from demo.prometheus import EVERY
from demo.waiting import wait_for

JSON = ROOT / "dashboards" / "json"
HOME = Path("/usr/share/grafana")  # of its packages


def command() -> list[str] | None:
    """The server's first words; None where there is none."""
    if shutil.which("grafana", path=PATH):
        return ["grafana", "server"]
    return ["grafana-server"] if shutil.which("grafana-server", path=PATH) else None


def provision(folder: Path, prometheus: str) -> None:
    """What Grafana reads when it starts."""
    source = {
        "name": "Prometheus",
        "type": "prometheus",
        "access": "proxy",
        "url": prometheus,
        "isDefault": True,
        "jsonData": {"timeInterval": EVERY},
    }
    provider = {"name": "scalpels", "type": "file", "options": {"path": str(JSON)}}
    for kind, content in (("datasources", {"datasources": [source]}), ("dashboards", {"providers": [provider]})):
        (folder / kind).mkdir(parents=True)
        (folder / kind / "demo.yaml").write_text(yaml.safe_dump({"apiVersion": 1, **content}))


def started(stack: ExitStack, folder: Path, prometheus: str, port: int, server: list[str]) -> Child:
    provision(folder / "provisioning", prometheus)
    grafana = Child(
        "grafana",
        folder,
        [*server, f"--homepath={HOME}"],
        {
            "GF_PATHS_DATA": str(folder / "grafana-data"),
            "GF_PATHS_LOGS": str(folder / "grafana-logs"),
            "GF_PATHS_PLUGINS": str(folder / "grafana-plugins"),
            "GF_PATHS_PROVISIONING": str(folder / "provisioning"),
            "GF_SERVER_HTTP_ADDR": LOOPBACK,
            "GF_SERVER_HTTP_PORT": str(port),
            "GF_AUTH_ANONYMOUS_ENABLED": "true",
            "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
            "GF_ANALYTICS_REPORTING_ENABLED": "false",
            "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
            "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        },
    )
    stack.enter_context(grafana)
    wait_for(lambda: requests.get(f"http://{LOOPBACK}:{port}/api/health", timeout=5).ok, 90, "Grafana answers", grafana)
    return grafana
