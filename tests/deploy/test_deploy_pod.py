"""What the chart gives to a pod suffices, and none of it is too much: all that is on runs, and less is not enough."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import bcrypt
import pytest
import requests
from pod import Pod
from running import default_tracers, wait_until
from systemd_unit import allowed_calls
from urllib3.exceptions import InsecureRequestWarning

from scalpels_exporter.capabilities import capabilities_of
from scalpels_exporter.catalog import find

pytestmark = pytest.mark.root
Start = Callable[..., Pod]
AS_THE_AGENT = ("setpriv", "--reuid=scalpels", "--regid=scalpels", "--clear-groups")
A_KERNEL_PROGRAM = {name: False for name in find() if name not in ("fs", "program", "system")}
ALMOST_NOTHING = {**A_KERNEL_PROGRAM, "fs": False, "program": False}


def state(pod: Pod, tracer: str) -> str:
    found: str = pod.tracer(tracer)["state"]
    return found


def test_every_default_tracer_runs_and_counts(start_pod: Start) -> None:
    """Under the filter of the systemd unit too, which gives the same capabilities."""
    pod = start_pod(only=allowed_calls())
    on = default_tracers()
    wait_until(lambda: pod.running() == on, 60, "all run")
    wait_until(lambda: (pod.value("scalpels_program_processes", program="scalpels") or 0) > 3, 20, "it is named")
    assert pod.inside("stat", "-c", "%a %U", "/run/scalpels").stdout.split() == ["755", "scalpels"]
    assert capabilities_of(pod.pid) == frozenset()
    assert capabilities_of(pod.pid, "/proc", "CapBnd") == frozenset()


def test_encrypted_traffic_a_port_and_the_cost_of_it_all_are_seen(start_pod: Start) -> None:
    tracers = {"fs": False, "syscalls": False, "wire": {"tls": True}, "port": True}
    pod = start_pod(tracers, measureCost=True)
    wait_until(lambda: {"http", "sql", "wire", "port"} <= pod.running(), 60, "all run")
    cost = ("scalpels_tracer_probe_seconds_total", (("tracer", "wire"),))
    wait_until(lambda: pod.samples().get(cost, 0) > 0, 30, "what kernel programs cost is measured")
    wait_until(lambda: (pod.value("scalpels_wire_tls_files") or 0) > 0, 30, "libssl is probed")


@pytest.mark.parametrize(
    ("capability", "tracer"),
    [("BPF", "fs"), ("PERFMON", "fs"), ("DAC_READ_SEARCH", "fs"), ("SYS_PTRACE", "programs")],
)
def test_without_what_a_tracer_declares_it_is_unsupported(capability: str, tracer: str, start_pod: Start) -> None:
    pod = start_pod(tracers=A_KERNEL_PROGRAM, less=capability)
    wait_until(lambda: state(pod, tracer) == "unsupported", 30, f"{tracer} is unsupported")
    assert f"CAP_{capability}" in pod.tracer(tracer)["why"]


@pytest.mark.parametrize("capability", ["SETUID", "SETGID"])
def test_without_changing_users_nothing_starts(capability: str, start_pod: Start) -> None:
    with pytest.raises(pytest.fail.Exception, match="the agent ended"):
        start_pod(tracers=ALMOST_NOTHING, less=capability)


def test_without_chown_there_is_no_control_and_without_setpcap_bounds_stay(start_pod: Start) -> None:
    uncontrolled = start_pod(tracers=ALMOST_NOTHING, less="CHOWN")
    assert "agent.sock" not in uncontrolled.log.read_text()
    unbounded = start_pod(tracers=ALMOST_NOTHING, less="SETPCAP")
    assert capabilities_of(unbounded.pid, "/proc", "CapBnd") != frozenset()


def test_a_script_runs_and_is_killed_though_it_hears_no_signal(start_pod: Start) -> None:
    script = '#!/bin/sh\ntrap "" TERM\nwhile :; do echo 12 pkt/s; sleep 1; done\n'
    pod = start_pod(tracers={**ALMOST_NOTHING, "vpn": {"command": "/opt/scalpels/vpn"}}, scripts={"vpn": script})
    wait_until(lambda: pod.value("scalpels_vpn_value", unit="pkt/s") == 12, 20, "the script is read")
    client = Path(pod.python).name, "-m", "scalpels_exporter", "stop", "vpn"
    assert pod.inside(*AS_THE_AGENT, *client).returncode == 0
    wait_until(lambda: state(pod, "vpn") == "stopped", 20, "it is stopped")


def test_probes_need_no_password_and_no_trust_in_a_certificate(start_pod: Start, tmp_path: Path) -> None:
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "key",
        "-out",
        "crt",
        "-subj",
        "/CN=x",
    ]
    subprocess.run(made, cwd=tmp_path, check=True, capture_output=True, timeout=30)
    secret = {name: (tmp_path / name).read_text() for name in ("key", "crt")}
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    secret["web.yaml"] = (
        "tls_server_config: {cert_file: /etc/scalpels-web/crt, key_file: /etc/scalpels-web/key}\n"
        f"basic_auth_users: {{prometheus: '{hashed}'}}\n"
    )
    pod = start_pod(ALMOST_NOTHING, webConfig={"secretName": "web", "tls": True}, secrets={"web": secret})
    with pytest.warns(InsecureRequestWarning):
        answer = requests.get(f"https://127.0.0.1:{pod.port}/-/ready", verify=False, timeout=5)
    assert answer.status_code == 401
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        wait_until(lambda name=name: pod.probe(name).returncode == 0, 20, f"{name} succeeds")
