"""The API server that all tests here share, and a release of the chart in it."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from cluster import Cluster
from release import Release
from rendering import ROOT, tools

_NAMESPACES = count(1)  # without controllers none ever goes


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    clients = tools()
    if not (clients / "kubectl").exists():
        pytest.skip("tools/chart_tools.sh could not get kubectl")
    got = subprocess.run([ROOT / "tools" / "kubernetes_tools.sh"], capture_output=True, text=True, timeout=1800)
    if got.returncode != 0:
        pytest.skip(got.stderr.strip().splitlines()[-1])
    with tempfile.TemporaryDirectory(prefix="scalpels-kubernetes-") as name:
        running = Cluster(Path(name), Path(got.stdout.strip()), clients)
        yield running
        running.close()


@pytest.fixture(params=["helm-3", "helm-4"])
def release(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Callable[..., Release]]:
    """Makes releases, each in a namespace of its own, by each of the helms; those that a test leaves are removed."""
    helm = str(request.param)
    if not (cluster.clients / helm).exists():
        pytest.skip(f"tools/chart_tools.sh could not get {helm}")
    made: list[Release] = []

    def make(name: str) -> Release:
        made.append(Release(cluster, helm, name, f"{name}-{next(_NAMESPACES)}"))
        return made[-1]

    yield make
    for one in made:
        one.close()
