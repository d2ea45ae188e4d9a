"""The chart is installed into a real API server, changed there and removed, by both helms."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from running import ROOT

CHART = ROOT / "helm" / "scalpels-exporter"
CASES = sorted((CHART / "ci").glob("*-values.yaml"))
Run = Callable[..., str]


@pytest.mark.parametrize("values", CASES, ids=lambda path: path.name.removesuffix("-values.yaml"))
def test_a_release_is_installed_upgraded_and_removed(values: Path, helm: Run, kubectl: Run) -> None:
    name = values.name.removesuffix("-values.yaml")
    place = ("--namespace", "tracing")
    helm("install", name, CHART, *place, "--create-namespace", "--values", values)
    try:
        [pods] = json.loads(kubectl("get", "daemonset", *place, "-o", "json"))["items"]
        before = pods["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        assert pods["spec"]["template"]["spec"]["hostPID"] is True
        helm("upgrade", name, CHART, *place, "--values", values, "--set", "config.tracers.system=false")
        [pods] = json.loads(kubectl("get", "daemonset", *place, "-o", "json"))["items"]
        assert pods["spec"]["template"]["metadata"]["annotations"]["checksum/config"] != before
        assert pods["metadata"]["generation"] == 2
    finally:
        helm("uninstall", name, *place)
    kinds = "daemonset,configmap,service,serviceaccount,networkpolicy,podmonitor,prometheusrule"
    left = kubectl("get", kinds, *place, "-l", f"app.kubernetes.io/instance={name}", "-o", "name")
    assert left == ""


def test_rules_monitors_and_dashboards_are_taken_by_the_operators_own_schemas(helm: Run, kubectl: Run) -> None:
    settings = ("--set", "monitor.kind=ServiceMonitor,rules.enabled=true,dashboards.enabled=true")
    helm("install", "all", CHART, "--namespace", "tracing", "--create-namespace", *settings)
    try:
        rules = json.loads(kubectl("get", "prometheusrule", "-n", "tracing", "-o", "json"))["items"]
        assert len(rules) == len(list((ROOT / "dashboards" / "rules").glob("*.yaml")))
        assert len(json.loads(kubectl("get", "servicemonitor", "-n", "tracing", "-o", "json"))["items"]) == 1
    finally:
        helm("uninstall", "all", "--namespace", "tracing")


def test_a_pod_is_refused_below_privileged_for_the_reasons_that_the_readme_gives(
    helm: Run, kubectl: Run, tmp_path: Path
) -> None:
    [pods] = (one for one in yaml.safe_load_all(helm("template", "it", CHART)) if one and one["kind"] == "DaemonSet")
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "it"}, "spec": pods["spec"]["template"]["spec"]}
    file = tmp_path / "pod.yaml"
    file.write_text(yaml.safe_dump(pod))
    label = "pod-security.kubernetes.io/enforce"
    kubectl("label", "namespace", "default", f"{label}=privileged", "--overwrite")
    kubectl("create", "-n", "default", "--dry-run=server", "-f", file)
    kubectl("label", "namespace", "default", f"{label}=baseline", "--overwrite")
    with pytest.raises(AssertionError) as refused:
        kubectl("create", "-n", "default", "--dry-run=server", "-f", file)
    kubectl("label", "namespace", "default", f"{label}-")
    for reason in ("host namespaces", "hostPath volumes", "non-default capabilities", "AppArmor"):
        assert reason in str(refused.value)
    assert "privileged (" not in str(refused.value)
