"""An API server of this machine alone: etcd and kube-apiserver on loopback, with the prometheus-operator's definitions.

No kubelet and no controllers: what is created stays as it was taken. Imported by name.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from running import wait_until

CONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: it, cluster: {{server: "https://127.0.0.1:{port}", certificate-authority: {certificate}}}}}]
users: [{{name: admin, user: {{token: of-the-test}}}}]
contexts: [{{name: it, context: {{cluster: it, user: admin}}}}]
current-context: it
"""
DEFINITIONS = ("podmonitors", "servicemonitors", "prometheusrules")


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


class Cluster:
    """`servers` has kube-apiserver, etcd and crds/; `clients` has kubectl and the helms."""

    def __init__(self, folder: Path, servers: Path, clients: Path) -> None:
        self.folder, self.clients = folder, clients
        self.config = folder / "kubeconfig"
        self.certificate = folder / "certificates" / "apiserver.crt"
        self._started: list[subprocess.Popen[bytes]] = []
        store, peers, self._port = free_ports(3)
        try:
            self._start(servers / "etcd", _of_the_store(folder, store, peers))
            self._start(servers / "kube-apiserver", self._of_the_server(store))
            wait_until(self._is_ready, 120, "the API server is ready")
            self.config.write_text(CONFIG.format(port=self._port, certificate=self.certificate))
            for name in DEFINITIONS:
                self.kubectl("create", "-f", servers / "crds" / f"monitoring.coreos.com_{name}.yaml")
            established = [f"crd/{name}.monitoring.coreos.com" for name in DEFINITIONS]
            self.kubectl("wait", "--for=condition=Established", "--timeout=60s", *established)
        except BaseException:
            self.close()
            raise

    def run(self, client: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """One of the clients, with nobody's plugins and with no other cluster."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "KUBECONFIG": str(self.config)}
        command = [self.clients / client, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)

    def kubectl(self, *arguments: str | Path) -> str:
        done = self.run("kubectl", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def close(self) -> None:
        """The store last."""
        for process in reversed(self._started):
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, program: Path, flags: Sequence[str]) -> None:
        with (self.folder / f"{program.name}.log").open("wb") as log:
            process = subprocess.Popen([program, *flags], stdout=log, stderr=log, cwd=self.folder)
        self._started.append(process)

    def _of_the_server(self, store: int) -> list[str]:
        key = self.folder / "key"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True, timeout=30)
        tokens = self.folder / "tokens"
        tokens.write_text("of-the-test,admin,admin,system:masters\n")
        return [
            f"--etcd-servers=http://127.0.0.1:{store}",
            f"--secure-port={self._port}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={self.certificate.parent}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default",
            "--disable-admission-plugins=ServiceAccount",  # whose controller is not there
        ]

    def _is_ready(self) -> bool:
        for process in self._started:
            if process.poll() is not None:
                logs = [path.read_text().splitlines()[-3:] for path in sorted(self.folder.glob("*.log"))]
                pytest.fail(f"it ended with {process.returncode}: {logs}")
        headers = {"Authorization": "Bearer of-the-test"}
        url = f"https://127.0.0.1:{self._port}/readyz"
        return self.certificate.exists() and requests.get(url, headers=headers, verify=self.certificate, timeout=5).ok


def _of_the_store(folder: Path, port: int, peer_port: int) -> list[str]:
    clients, peers = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
    return [
        f"--data-dir={folder}/etcd",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        "--unsafe-no-fsync",
    ]
