"""The tools of the chart, the image that the Dockerfile makes, and pods that the chart renders."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from image import Image
from pod import Pod, free_port
from rendering import Manifests, of_kind, render, tools
from running import wait_until


@pytest.fixture(scope="session")
def chart_tools() -> Path:
    """The folder with helm-3, helm-4 and helm-unittest-1."""
    return tools()


@pytest.fixture(scope="session", params=["helm-3", "helm-4"])
def helm(request: pytest.FixtureRequest, chart_tools: Path) -> Path:
    path = chart_tools / str(request.param)
    if not path.exists():
        pytest.skip(f"tools/chart_tools.sh could not get {path.name}")
    return path


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    """Made once: half a minute on an idle machine, and a gigabyte that is removed again."""
    if shutil.which("mmdebstrap") is None:
        pytest.skip("needs mmdebstrap")
    with tempfile.TemporaryDirectory(prefix="scalpels-image-") as folder:
        yield Image(Path(folder))


@pytest.fixture
def start_pod(chart_tools: Path, kernel_programs: None) -> Iterator[Callable[..., Pod]]:
    """Runs the pod that the chart renders with these values, less one capability."""
    for command in ("unshare", "setpriv", "nsenter", "curl", "openssl"):
        if shutil.which(command) is None:
            pytest.skip(f"needs {command}")
    started: list[Pod] = []
    folders: list[Path] = []

    def start(
        tracers: object = None,
        less: str = "",
        secrets: dict[str, dict[str, str]] | None = None,
        only: Sequence[str] = (),
        image: Image | None = None,
        **more: object,
    ) -> Pod:
        folder = Path(tempfile.mkdtemp(prefix="scalpels-pod-"))
        folders.append(folder)
        values = {"config": {"tracers": tracers or {}}, "port": free_port(), **more}
        given = [f"--set-json={key}={json.dumps(value)}" for key, value in values.items()]
        manifests = render(chart_tools / "helm-4", *given)
        if less:
            _added(manifests).remove(less)
        started.append(Pod(folder, manifests, secrets or {}, only, image))
        return started[-1]

    yield start
    for pod in started:
        pod.close()
        wait_until(lambda pod=pod: not pod.survivors(), 5, "every process of the pod is gone")
    for folder in folders:
        shutil.rmtree(folder)


def _added(manifests: Manifests) -> list[str]:
    [pods] = of_kind(manifests, "DaemonSet")
    added: list[str] = pods["spec"]["template"]["spec"]["containers"][0]["securityContext"]["capabilities"]["add"]
    return added
