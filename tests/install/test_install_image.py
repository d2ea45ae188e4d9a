"""The Dockerfile, as far as it can be proved without Docker: what it copies, names and runs is there."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib

import pytest
from dockerfile import LINES, copied, of
from running import ROOT

from scalpels_exporter.spawn.child import AGENT_UID, WORKER_UID


def test_the_shell_takes_every_step() -> None:
    for step in of("RUN"):
        subprocess.run(["sh", "-n", "-c", step], check=True, timeout=10)
        if "apt-get install" in step:
            assert "--no-install-recommends" in step
    assert all(line.split()[0] in ("FROM", "RUN", "COPY", "ENV", "EXPOSE", "ENTRYPOINT", "CMD") for line in LINES)


def test_every_package_in_it_is_debians() -> None:
    if shutil.which("apt-cache") is None:
        pytest.skip("needs apt-cache")
    words = [
        word for step in of("RUN") for word in re.findall(r"apt-get install -y --no-install-recommends ([^&]*)", step)
    ]
    packages = [word.replace('"', "").replace("$(dpkg", "amd64") for text in words for word in text.split()]
    packages = [name for name in packages if not name.startswith("--print")]
    assert "python3-bpfcc" in packages
    for package in packages:
        done = subprocess.run(["apt-cache", "show", package], capture_output=True, text=True, timeout=30)
        assert f"Package: {package}\n" in done.stdout, package


def test_the_users_in_it_are_the_agents_and_its_workers() -> None:
    [step] = [step for step in of("RUN") if "useradd" in step]
    for uid, name in ((AGENT_UID, "scalpels"), (WORKER_UID, "scalpels-worker")):
        assert f"groupadd --gid {uid} {name} " in step
        assert re.search(rf"useradd --uid {uid} --gid {name} .*/nologin {name} ", step)


def test_what_it_starts_is_a_command_of_ours() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    [start], [words] = of("ENTRYPOINT"), of("CMD")
    assert start == '["scalpels"]'
    assert words == '["agent"]'
    assert "scalpels" in scripts


def test_what_is_copied_is_all_that_a_wheel_is_made_of() -> None:
    kept = set(copied())
    assert all((ROOT / name).exists() for name in kept)
    assert {"pyproject.toml", "setup.py", "README.md", "scalpels_exporter", "tracers"} <= kept
