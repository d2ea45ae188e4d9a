"""The chart is installed into a real API server, changed there and removed, by both helms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from release import Release
from rendering import CASES, ROOT, Manifests, render

Make = Callable[[str], Release]
EVERYTHING = next(path for path in CASES if path.name.startswith("everything"))


def expected(release: Release, values: Path) -> Manifests:
    return render(release.cluster.clients / release.helm, "--values", values)


def count(items: list[dict[str, object]]) -> dict[str, int]:
    kinds = [str(one["kind"]) for one in items]
    return {kind: kinds.count(kind) for kind in kinds}


@pytest.mark.parametrize("values", CASES, ids=lambda path: path.name.removesuffix("-values.yaml"))
def test_all_that_it_renders_is_taken_and_nothing_is_left_of_it(values: Path, release: Make) -> None:
    one = release("whole")
    before = one.everything()
    one.do("install", "--values", values)
    wanted = count(expected(one, values))
    found = count([item for kind in wanted for item in one.all_of(kind) if _is_ours(item)])
    assert found == wanted
    assert "DaemonSet" in found
    one.do("uninstall")
    assert one.everything() == before


def _is_ours(item: dict[str, dict[str, dict[str, str]]]) -> bool:
    return item["metadata"].get("labels", {}).get("app.kubernetes.io/name") == "scalpels-exporter"


def test_the_server_has_every_part_with_what_it_is_for(release: Make) -> None:
    one = release("parts")
    one.do("install", "--values", EVERYTHING, "--set-json=rules.leftOut=[]")
    pods = one.pods()["spec"]["template"]["spec"]
    assert pods["hostPID"] is True
    assert pods["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    [monitor] = one.all_of("podmonitor")
    assert monitor["spec"]["podMetricsEndpoints"][0]["scheme"] == "https"
    [policy] = one.all_of("networkpolicy")
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    boards = {name for item in one.all_of("configmap") for name in item["data"] if name.endswith(".json")}
    assert boards == {path.name for path in (ROOT / "dashboards" / "json").glob("*.json")}


def test_the_operator_has_every_rule_as_it_is_in_the_files(release: Make) -> None:
    """What the server keeps: no field that its definition does not know was dropped."""
    one = release("rules")
    one.do("install", "--set", "monitor.kind=ServiceMonitor,rules.enabled=true")
    kept = {item["metadata"]["name"].rpartition("-")[2]: item["spec"] for item in one.all_of("prometheusrule")}
    files = (ROOT / "dashboards" / "rules").glob("*.yaml")
    assert kept == {path.stem: yaml.safe_load(path.read_text()) for path in files}
    [monitor] = one.all_of("servicemonitor")
    assert monitor["spec"]["endpoints"][0]["port"] == "metrics"


def test_an_upgrade_with_another_configuration_changes_the_pods_and_one_without_does_not(release: Make) -> None:
    one = release("upgraded")

    def seen() -> tuple[str, int]:
        pods = one.pods()
        checksum = pods["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        return checksum, pods["metadata"]["generation"]

    one.do("install")
    first = seen()
    one.do("upgrade")
    assert seen() == first
    one.do("upgrade", "--set", "config.tracers.system=false")
    changed = seen()
    assert changed[0] != first[0]
    assert changed[1] == first[1] + 1
    one.do("upgrade", "--set", "config.tracers.system=true")
    assert seen()[0] not in (first[0], changed[0])


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("image.digest=sha256:beef", "digest"),
        ("config.tracer.fs=true", "tracer"),
        ("networkPolicy.enabled=true", "expected hostNetwork: false"),
        ("updateStrategy.type=Sometimes", "updateStrategy"),
        ("tolerations[0].effect=NoScheduling", "effect"),
    ],
)
def test_values_that_are_wrong_fail_with_a_line_that_names_them_and_make_nothing(
    setting: str, said: str, release: Make
) -> None:
    one = release("wrong")
    before = one.everything()
    done = one.try_to("install", "--set", setting)
    assert done.returncode != 0
    assert any(said in line for line in done.stderr.splitlines()), done.stderr
    assert one.everything() == before


def test_what_only_the_server_can_tell_of_values_is_said_and_goes_with_the_release(release: Make) -> None:
    one = release("refused")
    before = one.everything()
    done = one.try_to("install", "--set", "resources.limits.memory=lots")
    assert done.returncode != 0
    assert any("DaemonSet" in line and "quantities must match" in line for line in done.stderr.splitlines())
    one.do("uninstall")
    assert one.everything() == before


def test_a_namespace_below_privileged_refuses_the_pods_for_the_reasons_that_the_readme_gives(
    release: Make, tmp_path: Path
) -> None:
    one = release("admitted")
    one.do("install")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "it"},
        "spec": one.pods()["spec"]["template"]["spec"],
    }
    file = tmp_path / "pod.yaml"
    file.write_text(yaml.safe_dump(pod))
    create = ("create", "--dry-run=server", "--namespace", one.namespace, "-f", str(file))
    label = "pod-security.kubernetes.io/enforce"
    readme = (ROOT / "helm" / "scalpels-exporter" / "README.md").read_text()
    assert f"{label}=privileged" in readme
    one.labels(**{label: "privileged"})
    one.cluster.kubectl(*create)
    one.labels(**{label: "baseline"})
    refused = one.cluster.run("kubectl", *create)
    assert refused.returncode != 0
    for reason in ("host namespaces", "hostPath volumes", "non-default capabilities", "AppArmor"):
        assert reason in refused.stderr
        assert reason in readme
    assert "privileged (" not in refused.stderr  # which no container is
