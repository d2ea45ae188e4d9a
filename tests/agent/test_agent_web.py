"""TLS and passwords of the real agent: it holds no privilege, and yet serves with a key that root alone can read."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import requests
from running import RunningAgent

Start = Callable[..., RunningAgent]
Until = Callable[..., Any]
Config = Callable[..., str]


def make_certificate(folder: Path, name: str) -> None:
    """server.crt and server.key of the common name `name`, the key for its owner alone."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(folder / "new.key"), "-out", str(folder / "new.crt")]
    subprocess.run(command, check=True, capture_output=True)
    (folder / "new.key").chmod(0o600)
    (folder / "new.key").rename(folder / "server.key")
    (folder / "new.crt").rename(folder / "server.crt")


def users(**passwords: str) -> str:
    lines = (f"  {u}: {bcrypt.hashpw(p.encode(), bcrypt.gensalt(4)).decode()}\n" for u, p in passwords.items())
    return "basic_auth_users:\n" + "".join(lines)


TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"


@pytest.fixture
def folder(open_folder: Path) -> Path:
    """For root's eyes only: nothing in it can be read by the agent proper."""
    place = open_folder / "web"
    place.mkdir(mode=0o700)
    make_certificate(place, "first")
    (place / "web.yml").write_text(TLS + users(alice="one"))
    (place / "web.yml").chmod(0o600)
    return place


@pytest.fixture
def agent(start_agent: Start, quiet_with: Config, folder: Path) -> RunningAgent:
    return start_agent(quiet_with(honest="is_honest"), f"--web.config.file={folder}/web.yml")


def scrape(agent: RunningAgent, folder: Path, password: str = "one") -> requests.Response:
    url = f"https://127.0.0.1:{agent.port}/metrics"
    return requests.get(url, auth=("alice", password), verify=str(folder / "server.crt"), timeout=10)


def test_it_serves_with_the_key_and_asks_for_the_password(agent: RunningAgent, folder: Path) -> None:
    assert scrape(agent, folder).status_code == 200
    assert scrape(agent, folder, "two").status_code == 401
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"https://127.0.0.1:{agent.port}/metrics", timeout=10)


def test_a_new_key_and_a_new_password_take_effect_without_a_restart(
    agent: RunningAgent, folder: Path, until: Until
) -> None:
    scrape(agent, folder)
    make_certificate(folder, "second")
    (folder / "web.yml").write_text(TLS + users(alice="two"))

    def new() -> bool:
        try:
            return scrape(agent, folder, "two").status_code == 200
        except requests.exceptions.SSLError:
            return False

    until(new, 15)
    assert scrape(agent, folder, "one").status_code == 401
    assert agent.process.poll() is None


def test_a_broken_file_keeps_the_old_one_in_force_and_is_logged_once(
    agent: RunningAgent, folder: Path, until: Until
) -> None:
    scrape(agent, folder)
    (folder / "web.yml").write_text("tls_server_config: {cert_fil: x}\n")
    until(lambda: scrape(agent, folder) and "cert_fil" in agent.log.read_text(), 15)
    for _ in range(3):
        assert scrape(agent, folder).status_code == 200
    complaints = [line for line in agent.log.read_text().splitlines() if "cert_fil" in line]
    assert len(complaints) == 1


def test_an_agent_does_not_start_with_a_broken_web_configuration(tmp_path: Path) -> None:
    from test_agent_config import run

    web = tmp_path / "web.yml"
    web.write_text("tls_server_config: {cert_file: nosuch.crt, key_file: nosuch.key}\nbasic_auth_user: {}\n")
    ended = run(f"--web.config.file={web}")
    assert ended.returncode == 2
    lines = ended.stderr.strip().splitlines()
    assert lines
    assert all(line.startswith(f"{web}:") for line in lines)
    assert "Traceback" not in ended.stderr


def test_the_local_socket_controls_without_a_password(agent: RunningAgent, until: Until) -> None:
    import sys

    from running import ROOT

    until(lambda: "tracer running" in agent.log.read_text())
    command = [sys.executable, "-m", "scalpels_exporter", "stop", "honest", "--url", f"unix:{agent.socket}"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "unix:uid=" in agent.log.read_text()
