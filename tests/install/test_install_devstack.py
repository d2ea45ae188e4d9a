"""The devstack plugin, called as devstack calls it, with devstack's functions replaced by ones that take notes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from running import ROOT

PLUGIN = ROOT / "devstack"

# devstack's own functions, and what would change the machine: each writes down what it was called with.
STUBS = """
note() { echo "$*" >> "$NOTES"; }
define_plugin() { note define_plugin "$@"; }
enable_service() { note enable_service "$@"; }
is_service_enabled() { case " $ENABLED " in *" $1 "*) return 0 ;; esac; return 1; }
is_ubuntu() { [ "$DISTRO" = ubuntu ]; }
install_package() { note install_package "$@"; }
echo_summary() { :; }
run_process() { note run_process "$@"; }
stop_process() { note stop_process "$@"; }
wait_for_service() { note wait_for_service "$@"; return "$READY"; }
die() { note die "$2"; exit 1; }
python_of_distribution() { note python "$@"; }
sudo() { "$@"; }
"""


def call(
    folder: Path, *calls: str, enabled: str = "scalpels", distro: str = "ubuntu", ready: int = 0, tracers: str = ""
) -> tuple[int, list[str]]:
    """The status, and what was noted."""
    notes = folder / "notes"
    notes.unlink(missing_ok=True)
    notes.touch()
    venv = folder / "venv" / "bin"
    venv.mkdir(parents=True, exist_ok=True)
    (venv / "pip").write_text(f'#!/bin/sh\necho "pip $*" >> {notes}\n')
    (venv / "pip").chmod(0o755)
    scalpels = venv / "scalpels"
    scalpels.unlink(missing_ok=True)
    scalpels.symlink_to(ROOT / ".venv" / "bin" / "scalpels")
    lines = [STUBS, f"source {PLUGIN}/settings", *(f"source {PLUGIN}/plugin.sh {one}" for one in calls)]
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "NOTES": str(notes), "ENABLED": enabled, "DISTRO": distro,
        "READY": str(ready), "SCALPELS_PYTHON": "python_of_distribution",
        "DEST": str(ROOT.parent), "SCALPELS_DIR": str(ROOT), "DATA_DIR": str(folder), "SERVICE_TIMEOUT": "60",
        "SCALPELS_VENV": str(folder / "venv"), "SCALPELS_CONF": str(folder / "etc" / "scalpels.yaml"),
    }  # fmt: skip
    if tracers:
        environment["SCALPELS_TRACERS"] = tracers
    done = subprocess.run(
        ["bash", "-eu", "-c", "\n".join(lines)], env=environment, capture_output=True, text=True, timeout=60
    )
    return done.returncode, [*notes.read_text().splitlines(), *done.stderr.splitlines()]


@pytest.mark.parametrize("script", [PLUGIN / "plugin.sh", PLUGIN / "settings"], ids=lambda path: path.name)
def test_it_is_sound_bash(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True, timeout=10)
    if shutil.which("shellcheck") is None:
        pytest.skip("needs shellcheck")
    done = subprocess.run(["shellcheck", "--shell=bash", script], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout


def test_a_stack_configures_and_starts_the_agent_as_root_and_waits_for_it(tmp_path: Path) -> None:
    status, notes = call(tmp_path, "stack post-config", tracers="{ovs: on, sql: {digests: 50}}")
    assert status == 0, notes
    assert (tmp_path / "etc" / "scalpels.yaml").read_text() == "tracers: {ovs: on, sql: {digests: 50}}\n"
    started = f"{tmp_path}/venv/bin/scalpels agent --config.file={tmp_path}/etc/scalpels.yaml"
    assert notes[-2:] == [
        f"run_process scalpels {started} --web.listen-address=127.0.0.1:10919 root root",
        "wait_for_service 60 http://127.0.0.1:10919/-/ready",
    ]


def test_a_stack_with_a_mistake_in_its_tracers_ends_with_the_line_that_says_so(tmp_path: Path) -> None:
    status, notes = call(tmp_path, "stack post-config", tracers="{nosuch: on}")
    assert status != 0
    assert any("nosuch" in line and "scalpels.yaml:1" in line for line in notes)
    assert not any(line.startswith("run_process") for line in notes)


def test_a_stack_whose_agent_is_not_ready_dies_and_says_where_to_look(tmp_path: Path) -> None:
    status, notes = call(tmp_path, "stack post-config", ready=1)
    assert status == 1
    assert notes[-1] == "die scalpels-exporter is not ready: journalctl --unit devstack@scalpels"


@pytest.mark.parametrize(
    ("distro", "packages"),
    [("ubuntu", "python3-venv python3-bpfcc linux-headers-"), ("fedora", "python3-bcc kernel-devel")],
)
def test_it_installs_what_bcc_needs_and_a_venv_that_sees_it(distro: str, packages: str, tmp_path: Path) -> None:
    status, notes = call(tmp_path, "stack install", distro=distro)
    assert status == 0, notes
    assert notes[2].startswith(f"install_package {packages}")
    assert notes[3:] == [
        f"python -m venv --system-site-packages {tmp_path}/venv",
        f"pip install --quiet {ROOT}",
    ]


@pytest.mark.parametrize(
    ("call_of_devstack", "noted"),
    [("unstack", ["stop_process scalpels"]), ("stack pre-install", []), ("stack extra", []), ("stack test-config", [])],
)
def test_other_phases_do_what_they_should_and_no_more(
    call_of_devstack: str, noted: Sequence[str], tmp_path: Path
) -> None:
    status, notes = call(tmp_path, call_of_devstack)
    assert (status, notes) == (0, ["define_plugin scalpels-exporter", "enable_service scalpels", *noted])


def test_clean_removes_what_it_made_and_nothing_happens_where_it_is_disabled(tmp_path: Path) -> None:
    call(tmp_path, "stack post-config")
    status, _ = call(tmp_path, "clean")
    assert status == 0
    assert not (tmp_path / "venv").exists()
    assert not (tmp_path / "etc" / "scalpels.yaml").exists()
    status, notes = call(tmp_path, "stack install", "stack post-config", "unstack", enabled="")
    assert (status, notes) == (0, ["define_plugin scalpels-exporter", "enable_service scalpels"])
