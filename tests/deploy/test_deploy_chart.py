"""The chart as the real helms take it: it lints, and Kubernetes of every supported version takes what it renders."""

from __future__ import annotations

import json
import re
import subprocess
import warnings
from pathlib import Path

import pytest
import yaml
from rendering import CASES, CHART, ROOT, of_kind, render, run

from scalpels_exporter.catalog import find
from scalpels_exporter.config.load import load
from scalpels_exporter.declare import Bpf, Parser

# The first and the last that the schemas are there for, and those between which the chart decides.
KUBERNETES = ("1.25", "1.29", "1.30", "1.37")
OF_THE_OPERATOR = ("PodMonitor", "ServiceMonitor", "PrometheusRule")


def named(path: Path) -> str:
    return path.name.removesuffix("-values.yaml")


@pytest.mark.parametrize("values", CASES, ids=named)
def test_it_lints(helm: Path, values: Path) -> None:
    done = run(helm, "lint", "--strict", CHART, "--values", values)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("values", CASES, ids=named)
def test_what_it_renders_is_valid_in_every_version_of_kubernetes(helm: Path, values: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what it imports
        import kubernetes_validate
    for version in KUBERNETES:
        manifests = render(helm, "--values", values, kubernetes=version)
        assert {"DaemonSet", "ConfigMap"} <= {one["kind"] for one in manifests}
        for manifest in manifests:
            if manifest["kind"] not in OF_THE_OPERATOR:
                kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("values", CASES, ids=named)
def test_both_helms_render_the_same(chart_tools: Path, values: Path) -> None:
    three, four = (render(chart_tools / name, "--values", values) for name in ("helm-3", "helm-4"))
    assert three == four


@pytest.mark.parametrize("values", CASES, ids=named)
def test_the_agent_takes_the_configuration_that_it_renders(helm: Path, values: Path, tmp_path: Path) -> None:
    [config] = (one for one in of_kind(render(helm, "--values", values), "ConfigMap") if "scalpels.yaml" in one["data"])
    file = tmp_path / "scalpels.yaml"
    file.write_text(config["data"]["scalpels.yaml"])
    load(file)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("port=80", "port"),
        ("hostnetwork=true", "hostnetwork"),
        ("extraCapabilities={CAP_NET_ADMIN}", "extraCapabilities"),
        ("config.tracer.fs=true", "tracer"),
        ("image.digest=sha256:beef", "digest"),
        ("monitor.kind=Probe", "kind"),
        ("monitor.interval=15", "interval"),
        ("resources=1", "resources"),
        ("networkPolicy.enabled=true", "no policy holds for pods in the node's network: expected hostNetwork: false"),
    ],
)
def test_values_that_are_wrong_are_refused_by_name(helm: Path, setting: str, said: str) -> None:
    done = run(helm, "template", "try", CHART, "--set", setting)
    assert done.returncode != 0
    assert said in done.stderr


def test_a_service_monitor_without_a_service_is_refused(helm: Path) -> None:
    done = run(helm, "template", "try", CHART, "--set", "monitor.kind=ServiceMonitor,service.enabled=false")
    assert "expected service.enabled, or PodMonitor" in done.stderr


def test_another_configuration_makes_other_pods(chart_tools: Path) -> None:
    seen = set()
    for setting in ("config=null", "config.tracers.fs=false", "config.tracers.fs=false,scripts.x=y", "port=10920"):
        [pods] = of_kind(render(chart_tools / "helm-4", "--set", setting), "DaemonSet")
        seen.add(pods["spec"]["template"]["metadata"]["annotations"]["checksum/config"])
    assert len(seen) == 3  # the port is none of the configuration's


def test_it_ships_every_rule_and_dashboard_as_it_is(chart_tools: Path) -> None:
    settings = "rules.enabled=true,dashboards.enabled=true"
    manifests = render(chart_tools / "helm-4", "--set", settings)
    rules = [one["spec"] for one in of_kind(manifests, "PrometheusRule")]
    assert rules == [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "dashboards/rules").glob("*.yaml"))]
    shown = {name: text for one in of_kind(manifests, "ConfigMap") for name, text in one["data"].items()}
    del shown["scalpels.yaml"]
    assert shown == {path.name: path.read_text() for path in (ROOT / "dashboards/json").glob("*.json")}
    assert rules
    assert shown


def added(helm: Path, off: set[str], **more: object) -> set[str]:
    """The capabilities where these tracers are switched off, less those of the agent itself."""
    values = {"config": {"tracers": dict.fromkeys(off, False)}, **more}
    [pods] = of_kind(
        render(helm, *(f"--set-json={key}={json.dumps(value)}" for key, value in values.items())), "DaemonSet"
    )
    given = pods["spec"]["template"]["spec"]["containers"][0]["securityContext"]["capabilities"]["add"]
    return set(given) - {"CHOWN", "KILL", "SETGID", "SETPCAP", "SETUID"}


def test_it_gives_nothing_for_what_is_off(chart_tools: Path) -> None:
    helm, tracers = chart_tools / "helm-4", {name: found.tracer for name, found in find().items()}
    with_kernel_programs = {name for name, one in tracers.items() if isinstance(one.runs, Bpf | Parser)}
    for measured in (False, True):  # there is nothing to measure
        found = added(helm, with_kernel_programs, measureCost=measured)
        assert found == {"DAC_READ_SEARCH", "SYS_PTRACE"}
    assert added(helm, set(tracers) - {"system"}) == set()
    assert {"BPF", "PERFMON", "SYS_ADMIN"} < added(helm, with_kernel_programs - {"fs"}, measureCost=True)


def test_its_own_cases_pass(chart_tools: Path) -> None:
    """helm-unittest: one file for each concern, in the chart's tests/."""
    tool = chart_tools / "helm-unittest-1"
    if not tool.exists():
        pytest.skip("tools/chart_tools.sh could not build helm-unittest")
    done = subprocess.run([tool, "--strict", CHART], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"^Tests: +(\d+) passed, (\d+) total", done.stdout, re.MULTILINE)
    assert passed is not None, done.stdout
    cases = sum(len(yaml.safe_load(file.read_text())["tests"]) for file in (CHART / "tests").glob("*_test.yaml"))
    assert int(passed[1]) == cases


def test_the_chart_is_of_this_version() -> None:
    from scalpels_exporter import __version__

    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
