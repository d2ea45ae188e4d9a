"""A release of the chart in a namespace of its own, as helm installs it and the API server has it. Imported by name."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from cluster import Cluster
from rendering import CHART

# All that the server can list in a namespace, but what it makes itself.
OF_THE_SERVER = ("events", "events.events.k8s.io")


class Release:
    def __init__(self, cluster: Cluster, helm: str, name: str, namespace: str) -> None:
        self.cluster, self.helm, self.name, self.namespace = cluster, helm, name, namespace
        cluster.kubectl("create", "namespace", namespace)

    def try_to(self, verb: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        chart = [] if verb == "uninstall" else [CHART]
        return self.cluster.run(self.helm, verb, self.name, *chart, "--namespace", self.namespace, *arguments)

    def do(self, verb: str, *arguments: str | Path) -> str:
        done = self.try_to(verb, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def close(self) -> None:
        self.try_to("uninstall")

    def labels(self, **labels: str) -> None:
        """Sets labels of the namespace."""
        given = [f"{key}={value}" for key, value in labels.items()]
        self.cluster.kubectl("label", "namespace", self.namespace, "--overwrite", *given)

    def all_of(self, kind: str) -> list[dict[str, Any]]:
        """What the server has of it."""
        text = self.cluster.kubectl("get", kind, "--namespace", self.namespace, "-o", "json")
        found: list[dict[str, Any]] = json.loads(text)["items"]
        return found

    def pods(self) -> dict[str, Any]:
        """The one DaemonSet."""
        [found] = self.all_of("daemonset")
        return found

    def everything(self) -> set[str]:
        """kind/name of all that the namespace has, of every kind that the server knows."""
        kinds = self.cluster.kubectl("api-resources", "--namespaced", "--verbs=list", "-o", "name").split()
        kinds = [kind for kind in kinds if kind not in OF_THE_SERVER]
        text = self.cluster.kubectl("get", ",".join(kinds), "--namespace", self.namespace, "-o", "name")
        return set(text.split())
