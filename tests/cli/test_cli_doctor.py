"""`doctor`: on this host, with fewer privileges, and on hosts that are injected."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from cli_process import Paper, run

from scalpels_exporter.cli.doctor import Patient, show
from scalpels_exporter.cli.host import BAD, NOTE, OK, Finding, Host, findings
from scalpels_exporter.cli.service import port
from scalpels_exporter.needs import Lack


def host(folder: Path, *, mounts: str = "proc /proc proc rw 0 0", capabilities: int = 0, **more: object) -> Host:
    """A host whose /proc says this."""
    own = folder / "proc" / "self"
    own.mkdir(parents=True)
    (own / "mounts").write_text(f"{mounts}\n")
    (own / "status").write_text(f"Uid:\t1000\t1000\t1000\t1000\nCapPrm:\t{capabilities:x}\nCapEff:\t{capabilities:x}\n")
    (folder / "sys").mkdir()
    (folder / "src").mkdir()
    told = {"os_release": folder / "os-release", "release": "6.1.0-28-amd64", "machine": "x86_64", "uid": 1000, **more}
    return Host(proc=folder / "proc", sys=folder / "sys", headers=folder / "src", **told)  # type: ignore[arg-type]


def found(host: Host, subject: str, ambient: tuple[str, ...] = ()) -> Finding:
    return next(finding for finding in findings(host, ambient) if finding.subject == subject)


PTRACE = 1 << 19


@pytest.mark.parametrize(
    ("mounts", "capabilities", "verdict"),
    [
        ("proc /proc proc rw,nosuid 0 0", 0, OK),
        ("proc /proc proc rw,hidepid=2 0 0", 0, BAD),
        ("proc /proc proc rw,hidepid=invisible 0 0", 0, BAD),
        ("proc /proc proc rw,hidepid=0 0 0", 0, OK),
        ("proc /proc proc rw,hidepid=2 0 0", PTRACE, OK),
    ],
)
def test_hidden_processes_are_seen(tmp_path: Path, mounts: str, capabilities: int, verdict: str) -> None:
    assert found(host(tmp_path, mounts=mounts, capabilities=capabilities), "processes").verdict == verdict


def test_missing_capabilities_are_named_and_the_units_line_is_given(tmp_path: Path) -> None:
    here = host(tmp_path, capabilities=PTRACE)
    needed = ("CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE")
    lacking = found(here, "privileges", needed)
    assert (lacking.verdict, lacking.found) == (BAD, "uid 1000 without CAP_DAC_READ_SEARCH")
    assert lacking.cure == "sudo scalpels doctor"
    confined = found(host(tmp_path / "confined", capabilities=PTRACE, uid=0), "privileges", needed)
    assert "--cap-add" in confined.cure
    assert "sudo" not in confined.cure
    assert found(here, "capabilities", needed).found.endswith("AmbientCapabilities=CAP_DAC_READ_SEARCH CAP_SYS_PTRACE")
    assert found(here, "privileges", ("CAP_SYS_PTRACE",)).verdict == OK
    assert found(here, "privileges").verdict == OK


def test_an_architecture_without_a_filter_is_noted(tmp_path: Path) -> None:
    assert found(host(tmp_path, machine="riscv64"), "seccomp").verdict == NOTE


def test_what_bpf_will_need_is_only_noted_with_what_brings_it(tmp_path: Path) -> None:
    here = host(tmp_path, find_bcc=lambda: None)
    notes = {f.subject: f for f in findings(here, ()) if f.verdict == NOTE}
    assert {"btf", "tracefs", "bcc", "headers"} <= set(notes)
    assert notes["bcc"].cure == "apt install python3-bpfcc"
    assert notes["headers"].cure == "apt install linux-headers-amd64"
    (tmp_path / "os-release").write_text("ID=ubuntu\n")
    assert found(here, "headers").cure == "apt install linux-headers-generic"
    assert not [f for f in findings(here, ()) if f.verdict == BAD]


def test_the_headers_of_another_kernel_serve(tmp_path: Path) -> None:
    here = host(tmp_path)
    (tmp_path / "src" / "linux-headers-6.1.0-9-amd64").mkdir()
    assert found(here, "headers").verdict == OK


def test_users_that_are_missing_are_noted_only_where_they_would_be_used(tmp_path: Path) -> None:
    here = host(tmp_path, uid=0, has_user=lambda name: name == "scalpels")
    users = found(here, "users")
    assert users.verdict == NOTE
    assert users.cure == "useradd --system --no-create-home scalpels-worker"
    assert found(host(tmp_path / "b", has_user=lambda _: False), "users").verdict == OK


def test_a_port_is_free_or_somebody_elses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = other.getsockname()[1]
        taken = port(number, seconds=0.2)
        assert taken.verdict == NOTE
        assert "in use" in taken.found
    assert port(number).found == f"{number} is free"


def test_what_mends_it_is_never_broken_over_lines() -> None:
    cure = "apt install " + " ".join(f"package-{n}" for n in range(20))
    general = [Finding("kernel", OK, "6.1 " * 30)]
    sheet = Paper(80)
    show(general, [Patient("ovs", True, [Lack("command ovs-vsctl not found", cure)])], sheet.screen)
    lines = sheet.text.splitlines()
    assert any(line.endswith(f"→ {cure}") for line in lines)
    assert max(len(line) for line in lines if cure not in line) <= 80
    assert lines[-1] == "cannot run here, though on: ovs"


# ---------------------------------------------------------------------------- the real command


@pytest.mark.root
def test_this_host_runs_every_default_tracer() -> None:
    done = run("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert "every tracer that is on can run here" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.root
@pytest.mark.parametrize("switch", ["on", "off"])
def test_what_a_switch_takes_is_needed_while_it_is_on(open_folder: Path, switch: str) -> None:
    config = open_folder / "scalpels.yaml"
    config.write_text(f"tracers:\n  sql: on\n  wire: {{tls: {switch}}}\n")
    config.chmod(0o644)
    some = "-all,+dac_read_search,+bpf,+perfmon,+sys_ptrace"
    few = ("setpriv", "--reuid=1234", "--regid=1234", "--clear-groups", f"--bounding-set={some}",
           f"--inh-caps={some}", f"--ambient-caps={some}")  # fmt: skip
    said = json.loads(run("doctor", "--json", "--config.file", str(config), prefix=few).stdout)
    wire = next(t for t in said["tracers"] if t["tracer"] == "wire")
    assert [lack["what"] for lack in wire["lacks"]] == ["capability CAP_SYS_ADMIN missing"] * (switch == "on")
    assert ("CAP_SYS_ADMIN" in said["ambient_capabilities"]) == (switch == "on")


@pytest.mark.root
def test_without_capabilities_it_says_what_is_missing_for_which_tracer() -> None:
    # dac_read_search lets Python read this checkout, wherever it lies.
    few = ("setpriv", "--reuid=1234", "--regid=1234", "--clear-groups", "--bounding-set=-all,+dac_read_search",
           "--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search")  # fmt: skip
    done = run("doctor", "--json", prefix=few)
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert "CAP_SYS_PTRACE" in said["ambient_capabilities"]
    program = next(t for t in said["tracers"] if t["tracer"] == "program")
    assert not program["can_run"]
    assert "CAP_SYS_PTRACE" in program["lacks"][0]["what"]
    assert not said["can_run"]
    privileges = next(f for f in said["host"] if f["subject"] == "privileges")
    assert privileges["found"] == "uid 1234 without CAP_BPF CAP_PERFMON CAP_SYS_PTRACE"


@pytest.mark.root
def test_exactly_the_listed_capabilities_are_enough() -> None:
    listed = json.loads(run("doctor", "--json").stdout)["ambient_capabilities"]
    sets = ",".join(["-all", *(f"+{name.removeprefix('CAP_').lower()}" for name in listed)])
    user = ("setpriv", "--reuid=1234", "--regid=1234", "--clear-groups", f"--bounding-set={sets}",
            f"--inh-caps={sets}", f"--ambient-caps={sets}")  # fmt: skip
    done = run("doctor", prefix=user)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_tracer_that_cannot_run_fails_the_examination_only_when_it_is_on(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    text = "tracers:\n  program: off\n  system: {state}\n  lost: {{command: [no-such-command], default: {state}}}\n"
    config.write_text(text.format(state="off"))
    done = run("doctor", "--config.file", config)
    assert "command no-such-command not found" in done.stdout
    assert done.returncode == 0
    config.write_text(text.format(state="on"))
    done = run("doctor", "--config.file", config)
    assert done.returncode == 1
    assert "cannot run here, though on: lost" in done.stdout


def test_a_bad_configuration_is_a_finding_and_tracers_are_judged_as_declared(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("tracers:\n  progam: off\n")
    done = run("doctor", "--config.file", config)
    assert done.returncode == 1
    line = next(x for x in done.stdout.splitlines() if " configuration " in x)
    assert line.split()[0] == "bad"
    assert f"{config}:2" in line
    assert any(x.split()[:2] in (["ok", "program"], ["bad", "program"]) for x in done.stdout.splitlines() if x)
