"""The systemd unit: systemd takes it, and it gives what the declarations of the default tracers ask for."""

from __future__ import annotations

from pathlib import Path

import yaml
from running import ROOT
from systemd_unit import UNIT, allowed_calls, analyze, service

from scalpels_exporter.cli.main import VERBS


def test_systemd_knows_every_word_of_it(tmp_path: Path) -> None:
    installed = tmp_path / UNIT.name
    installed.write_text(UNIT.read_text().replace("/opt/scalpels-exporter/bin/scalpels", "/bin/true"))
    done = analyze("verify", installed)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_it_is_as_confined_as_what_it_does_allows() -> None:
    done = analyze("security", "--offline=yes", "--threshold=40", UNIT)
    assert done.returncode == 0, done.stdout


def test_it_gives_the_capabilities_of_the_default_tracers_and_of_the_agent_as_the_chart_does() -> None:
    table = yaml.safe_load((ROOT / "helm" / "scalpels-exporter" / "files" / "tracers.yaml").read_text())
    wanted = {
        *table["agent"],
        *(name for one in table["tracers"].values() if one["default"] for name in one["capabilities"]),
    }
    assert service()["CapabilityBoundingSet"].split() == sorted(f"CAP_{name}" for name in wanted)


def test_the_command_in_it_is_there() -> None:
    program, verb, flags = service()["ExecStart"].split()
    assert (Path(program).name, flags) == ("scalpels", "$SCALPELS_FLAGS")
    assert verb in VERBS


def test_its_filter_allows_what_kernel_programs_take_and_no_mounts_or_modules() -> None:
    allowed = allowed_calls()
    assert {"bpf", "perf_event_open", "execve"} <= set(allowed)
    assert not {"ptrace", "mount", "init_module", "kexec_load", "reboot"} & set(allowed)
