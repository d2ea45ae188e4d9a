"""A real API server of this machine alone, with the prometheus-operator's resource definitions."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from running import ROOT, wait_until

sys.path.append(str(ROOT / "tests" / "deploy"))  # its helms and its chart

CONFIG = """
apiVersion: v1
kind: Config
clusters: [{{name: it, cluster: {{server: "https://127.0.0.1:{port}", insecure-skip-tls-verify: true}}}}]
users: [{{name: admin, user: {{token: secret}}}}]
contexts: [{{name: it, context: {{cluster: it, user: admin}}}}]
current-context: it
"""


def _ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    found = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return found


@pytest.fixture(scope="session")
def chart_tools() -> Path:
    done = subprocess.run([ROOT / "tools" / "chart_tools.sh"], capture_output=True, text=True, timeout=580)
    return Path(done.stdout.strip())


@pytest.fixture(scope="session")
def cluster(chart_tools: Path) -> Iterator[Path]:
    """The file KUBECONFIG of an API server that has just begun."""
    tools = Path(
        subprocess.run(
            [ROOT / "tools" / "kubernetes_tools.sh"], stdout=subprocess.PIPE, text=True, check=True
        ).stdout.strip()
    )
    with tempfile.TemporaryDirectory(prefix="scalpels-kubernetes-") as name:
        folder = Path(name)
        etcd_port, peer_port, port = _ports(3)
        key = folder / "key"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        (folder / "tokens").write_text("secret,admin,admin,system:masters\n")
        etcd = f"http://127.0.0.1:{etcd_port}"
        peers = f"http://127.0.0.1:{peer_port}"
        store = [f"--data-dir={folder}/etcd", f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}"]
        store += [f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}"]
        store += [f"--initial-cluster=default={peers}"]
        serve = [f"--etcd-servers={etcd}", f"--secure-port={port}", "--bind-address=127.0.0.1"]
        serve += [f"--cert-dir={folder}/certificates", f"--token-auth-file={folder}/tokens"]
        serve += ["--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24"]
        serve += [f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}"]
        serve += ["--service-account-issuer=https://kubernetes.default", "--disable-admission-plugins=ServiceAccount"]
        commands = ([tools / "etcd", *store], [tools / "kube-apiserver", *serve])
        started = []
        try:
            for command in commands:
                log = (folder / f"{Path(command[0]).name}.log").open("wb")
                started.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=folder))
            ready = f"https://127.0.0.1:{port}/readyz"
            headers = {"Authorization": "Bearer secret"}

            def is_ready() -> bool:
                certificate = folder / "certificates" / "apiserver.crt"
                return certificate.exists() and requests.get(ready, headers=headers, verify=certificate, timeout=5).ok

            wait_until(is_ready, 120, "the API server is ready")
            config = folder / "kubeconfig"
            config.write_text(CONFIG.format(port=port))
            kubectl = [chart_tools / "kubectl", f"--kubeconfig={config}"]
            for path in sorted((tools / "crds").glob("*.yaml")):
                if path.name.rpartition("_")[2] in ("podmonitors.yaml", "servicemonitors.yaml", "prometheusrules.yaml"):
                    subprocess.run([*kubectl, "create", "-f", path], check=True, capture_output=True, timeout=60)
            yield config
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait(30)


@pytest.fixture(params=["helm-3", "helm-4"])
def helm(request: pytest.FixtureRequest, chart_tools: Path, cluster: Path) -> Callable[..., str]:
    """Runs helm against the cluster; what it printed. A failure fails the test."""

    def run(*arguments: str | Path) -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": str(cluster.parent), "KUBECONFIG": str(cluster)}
        command = [chart_tools / str(request.param), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture
def kubectl(chart_tools: Path, cluster: Path) -> Callable[..., str]:
    def run(*arguments: str | Path) -> str:
        command = [chart_tools / "kubectl", f"--kubeconfig={cluster}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run
