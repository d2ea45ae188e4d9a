"""The systemd unit: systemd takes it, and what it leaves to the agent is what the chart gives, and suffices."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from configparser import RawConfigParser
from pathlib import Path

import pytest
from pod import Pod, free_port
from rendering import ROOT, of_kind, render
from running import wait_until

UNIT = ROOT / "systemd" / "scalpels-exporter.service"


@pytest.fixture(scope="module")
def unit() -> dict[str, str]:
    """Its section [Service]. No key of ours stands there twice."""
    parser = RawConfigParser(delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(UNIT.read_text())
    return dict(parser["Service"])


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60)


def test_systemd_knows_every_word_of_it(tmp_path: Path) -> None:
    installed = tmp_path / UNIT.name
    installed.write_text(UNIT.read_text().replace("/opt/scalpels-exporter/bin/scalpels", "/bin/true"))
    done = analyze("verify", installed)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_it_is_as_confined_as_what_it_does_allows(tmp_path: Path) -> None:
    done = analyze("security", "--offline=yes", "--threshold=40", UNIT)
    assert done.returncode == 0, done.stdout


def test_it_gives_the_capabilities_that_the_chart_gives(unit: dict[str, str], chart_tools: Path) -> None:
    [pods] = of_kind(render(chart_tools / "helm-4"), "DaemonSet")
    added = pods["spec"]["template"]["spec"]["containers"][0]["securityContext"]["capabilities"]["add"]
    assert unit["CapabilityBoundingSet"].split() == [f"CAP_{name}" for name in added]


def test_the_commands_in_it_are_there(unit: dict[str, str]) -> None:
    from scalpels_exporter.cli.main import VERBS

    program, verb, flags = unit["ExecStart"].split()
    assert (Path(program).name, flags) == ("scalpels", "$SCALPELS_FLAGS")
    assert verb in VERBS


def calls_of(names: list[str]) -> Iterator[str]:
    """The system calls that a SystemCallFilter= of these words allows."""
    for name in names:
        if not name.startswith("@"):
            yield name
            continue
        lines = analyze("syscall-filter", name).stdout.splitlines()
        yield from calls_of([line.strip() for line in lines[1:] if not line.strip().startswith("#") and line.strip()])


@pytest.mark.root
def test_every_default_tracer_runs_under_its_filter(
    unit: dict[str, str], chart_tools: Path, kernel_programs: None, tmp_path: Path
) -> None:
    """In the chart's pod, whose capabilities and file system are as confined."""
    tmp_path.chmod(0o755)
    allowed = sorted(set(calls_of(unit["SystemCallFilter"].split())))
    assert "bpf" in allowed
    assert "ptrace" not in allowed
    pod = Pod(tmp_path, render(chart_tools / "helm-4", f"--set=port={free_port()}"), only=allowed)
    try:
        on = {"fs", "http", "program", "programs", "sql", "syscalls", "system", "wire"}
        wait_until(lambda: {n for n in on if pod.tracer(n)["state"] == "running"} == on, 60, "all run")
    finally:
        pod.close()
        wait_until(lambda: not pod.survivors(), 5, "every process is gone")
