"""The image that the Dockerfile's lines make, as the chart's pod runs it. tests/install looks at the lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from image import Image
from pod import Pod
from rendering import ROOT, of_kind, render
from running import default_tracers, wait_until

from scalpels_exporter import __version__

pytestmark = pytest.mark.root
Start = Callable[..., Pod]


def test_every_default_tracer_runs_from_it_and_is_scraped(image: Image, start_pod: Start) -> None:
    pod = start_pod(image=image)
    wait_until(lambda: pod.running() == default_tracers(), 90, "all run")
    wait_until(lambda: (pod.value("scalpels_program_processes", program="scalpels") or 0) > 3, 20, "it is named")
    info = {name: dict(labels) for name, labels in pod.samples() if name == "scalpels_build_info"}
    assert info["scalpels_build_info"]["version"] == __version__
    as_the_agent = ("setpriv", "--reuid=scalpels", "--regid=scalpels", "--clear-groups")
    listed = pod.inside(*as_the_agent, "scalpels", "list")  # as the chart's notes say
    assert listed.returncode == 0, listed.stderr
    assert "wire" in listed.stdout
    assert "Read-only file system" in pod.inside("touch", "/etc/scalpels-wrote").stderr


def test_probes_and_the_tracer_port_find_their_commands_in_it(image: Image, start_pod: Start) -> None:
    pod = start_pod({"port": {"port": 3306}}, image=image)
    wait_until(lambda: "port" in pod.running(), 60, "port runs")
    assert pod.inside("curl", "-fsS", f"{pod.url}/-/healthy").returncode == 0


def test_what_a_pod_mounts_has_a_place_in_it(image: Image, chart_tools: Path) -> None:
    values = ROOT / "helm" / "scalpels-exporter" / "ci" / "everything-values.yaml"
    [pods] = of_kind(render(chart_tools / "helm-4", "--values", values), "DaemonSet")
    mounts = pods["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    places = [mount["mountPath"] for mount in mounts if not mount["mountPath"].startswith("/sys/")]
    assert len(places) == 4
    assert [place for place in places if not (image.root / place.lstrip("/")).is_dir()] == []
