"""What the systemd unit leaves to the agent suffices: every default tracer runs in it, and nothing can be written."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest
from running import default_tracers, wait_until
from service import Service, capabilities
from systemd_unit import service

from scalpels_exporter.capabilities import capabilities_of

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def running(kernel_programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    for command in ("unshare", "setpriv", "nsenter", "systemd-analyze"):
        if shutil.which(command) is None:
            pytest.skip(f"needs {command}")
    one = Service(tmp_path_factory.mktemp("service"))
    yield one
    one.close()
    wait_until(lambda: not one.survivors(), 5, "every process of the agent is gone")


def test_every_default_tracer_runs(running: Service) -> None:
    wait_until(lambda: running.running() == default_tracers(), 90, "all run")
    wait_until(lambda: (running.value("scalpels_program_processes", program="scalpels") or 0) > 3, 20, "it is named")


def test_it_holds_what_the_unit_gives_and_no_process_of_it_holds_more(running: Service) -> None:
    given = frozenset(capabilities(service()))
    held = {pid: capabilities_of(pid) for pid in running.tree()}
    assert held[running.pid] == frozenset()  # what serves the port
    assert all(one <= given for one in held.values())
    assert all(capabilities_of(pid, "/proc", "CapBnd") <= given for pid in held)
    assert frozenset.union(*held.values()) == given  # the spawner's


PLACES = ("/etc", "/usr", "/var/tmp", "/tmp", "/root", "/opt")


@pytest.mark.parametrize("place", [*(f"{one}/scalpels-wrote" for one in PLACES), "/proc/sys/kernel/hostname"])
def test_nothing_can_be_written_but_the_control_socket(place: str, running: Service) -> None:
    enter = ["nsenter", f"--target={running.pid}", "--mount"]
    written = subprocess.run([*enter, "sh", "-c", f": >> {place}"], capture_output=True, text=True, timeout=20)
    assert "Read-only file system" in written.stderr
    listed = subprocess.run([*enter, "ls", "/run/scalpels"], capture_output=True, text=True, timeout=20)
    assert listed.stdout.split() == ["agent.sock"]
