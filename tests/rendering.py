"""The real helms, and the chart as they render it. Imported by name."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
CHART = ROOT / "helm" / "scalpels-exporter"
CASES = sorted((CHART / "ci").glob("*-values.yaml"))

Manifests = list[dict[str, Any]]


def tools() -> Path:
    """The folder with helm-3, helm-4, kubectl and helm-unittest-1, those that can be had; fetched once a machine."""
    done = subprocess.run([ROOT / "tools" / "chart_tools.sh"], capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def run(helm: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    alone = {"HOME": "/nonexistent", "PATH": os.environ["PATH"]}  # nobody's plugins, nobody's cluster
    return subprocess.run([helm, *arguments], capture_output=True, text=True, timeout=60, env=alone)


def render(helm: Path, *arguments: str | Path, kubernetes: str = "1.35") -> Manifests:
    done = run(helm, "template", "try", CHART, "--namespace=tracing", f"--kube-version={kubernetes}", *arguments)
    assert done.returncode == 0, done.stderr
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


def of_kind(manifests: Manifests, kind: str) -> Manifests:
    return [manifest for manifest in manifests if manifest["kind"] == kind]
