"""What is dropped into kolla-ansible's folders: where it looks, and what its Prometheus then takes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import jinja2
import pytest
import yaml
from running import ROOT

DROP_IN = ROOT / "openstack" / "kolla-ansible"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """kolla's node_custom_config after the script."""
    subprocess.run([DROP_IN / "drop-in.sh", tmp_path], check=True, capture_output=True, timeout=30)
    return tmp_path


def rendered(config: Path, **more: object) -> dict[str, object]:
    """As kolla-ansible templates it before it merges it; addresses are looked up by filters of its own."""
    environment = jinja2.Environment(trim_blocks=True)  # as Ansible
    addresses = {"control-1": "192.0.2.1", "compute-1": "2001:db8::2"}
    environment.filters["kolla_address"] = lambda network, host: {"api": addresses}[network][host]
    environment.filters["put_address_in_context"] = lambda address, _: f"[{address}]" if ":" in address else address
    text = (config / "prometheus" / "prometheus.yml.d" / "scalpels.yml").read_text()
    groups = {"all": ["localhost", *addresses]}
    found: dict[str, object] = yaml.safe_load(environment.from_string(text).render(groups=groups, **more))
    return found


def test_every_host_is_scraped_by_its_name(config: Path) -> None:
    [job] = rendered(config)["scrape_configs"]  # type: ignore[misc]
    assert job["static_configs"] == [
        {"targets": ["192.0.2.1:10919"], "labels": {"instance": "control-1"}},
        {"targets": ["[2001:db8::2]:10919"], "labels": {"instance": "compute-1"}},
    ]
    [job] = rendered(config, scalpels_port=1234)["scrape_configs"]  # type: ignore[misc]
    assert job["static_configs"][0]["targets"] == ["192.0.2.1:1234"]


def test_prometheus_takes_all_of_it(config: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("needs promtool")
    whole = {**rendered(config), "rule_files": [f"{config}/prometheus/*.rules"]}
    (config / "prometheus.yml").write_text(yaml.safe_dump(whole))
    done = subprocess.run(
        ["promtool", "check", "config", config / "prometheus.yml"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_link_to_where_runbooks_are_served(tmp_path: Path) -> None:
    subprocess.run([DROP_IN / "drop-in.sh", tmp_path, "https://wiki.example/books/"], check=True, capture_output=True)
    for path in (ROOT / "dashboards" / "rules").glob("*.yaml"):
        links = _links(path)
        linked = [f"https://wiki.example/books/{link.rpartition('/')[2]}" for link in links]
        assert _links(tmp_path / "prometheus" / f"scalpels-{path.stem}.rules") == linked
    assert _links(ROOT / "dashboards" / "rules" / "agent.yaml")


def _links(file: Path) -> list[str]:
    rules = [rule for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]
    return [rule["annotations"]["runbook_url"] for rule in rules if "alert" in rule]


def test_every_rule_and_dashboard_is_where_kolla_looks(config: Path) -> None:
    stems = {path.stem for path in (ROOT / "dashboards" / "rules").glob("*.yaml")}
    assert {path.name for path in (config / "prometheus").glob("*.rules")} == {
        f"scalpels-{stem}.rules" for stem in stems
    }
    names = {path.name for path in (ROOT / "dashboards" / "json").glob("*.json")}
    assert {path.name for path in (config / "grafana" / "dashboards").iterdir()} == names
    assert names
