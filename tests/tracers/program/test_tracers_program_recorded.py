"""The tracer on a recorded /proc of two moments, against samples that a person can read."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from running import public_python

from scalpels_exporter.declare import Context
from scalpels_exporter.programs import census as census_module
from scalpels_exporter.programs.census import Census
from scalpels_exporter.soundness import problems

HERE = Path(__file__).parent
NAMES = {"nova-api": "nova-api", "nova) api (1": "nova-api", "mariadbd": "mariadbd"}


@pytest.fixture(name="program")
def program_fixture(stem: Callable[[str], ModuleType]) -> ModuleType:
    return stem("program")


def recorded(tmp_path: Path, program: ModuleType, **parameters: Any) -> tuple[Path, Context]:
    """A /proc that can be moved on from the first to the second moment, and the tracer's context for it."""
    proc = tmp_path / "proc"
    proc.symlink_to(HERE / "proc" / "first")
    defaults = {parameter.name: parameter.default for parameter in program.TRACER.parameters}

    def program_of(_pid: int, _start: int, comm: str, _image: int) -> str:
        return NAMES.get(comm, "other")

    return proc, Context(defaults | parameters, lambda _: "not asked", str(proc), program_of=program_of)


def move_on(proc: Path, moment: str = "second") -> None:
    proc.unlink()
    proc.symlink_to(HERE / "proc" / moment)


def test_two_moments_of_a_recorded_proc_give_the_expected_samples(
    program: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "HERTZ", 100)
    proc, context = recorded(tmp_path, program, from_birth=True)
    snapshots = program.snapshots(context)
    lines = []
    for moment in ("first", "second"):
        move_on(proc, moment)
        lines += [json.dumps([moment, name, *labels, value]) for name, labels, value in next(snapshots)]
    assert lines == (HERE / "expected.jsonl").read_text().splitlines()


def test_the_declaration_is_sound_and_declares_all_that_is_given(program: ModuleType, tmp_path: Path) -> None:
    assert not problems(program.TRACER)
    _, context = recorded(tmp_path, program)
    for name, labels, _ in next(program.snapshots(context)):
        assert len(program.TRACER.metric(name).labels) == len(labels)


def test_what_processes_did_before_the_first_tick_is_left_out_when_from_birth_is_off(
    program: ModuleType, tmp_path: Path
) -> None:
    proc, context = recorded(tmp_path, program, from_birth=False)
    snapshots = program.snapshots(context)
    counters = {m.name for m in program.TRACER.metrics if m.kind == "counter"}
    assert {value for name, _, value in next(snapshots) if name in counters} == {0}
    move_on(proc)
    seconds = {labels[0]: value for name, labels, value in next(snapshots) if labels[-1] == "user"}
    # 0.1 of 100; 2.3 of its ended child less the 1.5 that were before; 0.02 of the new process 300.
    assert seconds["nova-api"] == pytest.approx(0.92)


def test_a_proc_without_boot_time_is_unsupported_with_the_reason(program: ModuleType, tmp_path: Path) -> None:
    context = Context({"from_birth": True}, lambda _: "other", proc=str(tmp_path))
    with pytest.raises(program.Unsupported, match="stat"):
        next(program.snapshots(context))
    (tmp_path / "stat").write_text("cpu 1 2 3\n")
    with pytest.raises(program.Unsupported, match="btime"):
        next(program.snapshots(context))


def test_without_program_of_a_process_is_named_by_its_pid(program: ModuleType, tmp_path: Path) -> None:
    _, context = recorded(tmp_path, program)
    context = replace(context, program_of=None, program=lambda pid: f"p{pid}")
    named = {labels[0] for name, labels, _ in next(program.snapshots(context)) if name.endswith("_processes")}
    assert named == {"kernel", "p100", "p101", "p200", "p300", "io", "fd", "smaps_rollup"}


def test_what_is_known_of_a_process_is_forgotten_when_it_ends(tmp_path: Path, program: ModuleType) -> None:
    proc, _ = recorded(tmp_path, program)
    census = Census(str(proc), lambda p: p.comm)
    census.tick(0.0)
    assert set(census.known) == {2, 100, 101, 200, 300}
    assert set(census.known[200].switches) == {200, 201, 202}
    move_on(proc)
    census.tick(1.0)
    assert set(census.known) == {2, 100, 200, 300}
    assert set(census.known[200].switches) == {200, 201}
    census.tick(2.0)
    census.tick(3.0)
    assert census.unclaimed == []


def test_names_beyond_the_greatest_number_count_as_other(
    tmp_path: Path, program: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(census_module, "PROGRAMS_MOST", 2)
    proc, _ = recorded(tmp_path, program)
    census = Census(str(proc), lambda p: str(p.pid))
    census.tick(0.0)
    assert set(census.programs) == {"kernel", "100", "other"}
    assert census.programs["other"].processes == 3


def test_proportional_sets_are_read_at_first_sight_and_then_in_turns(tmp_path: Path, program: ModuleType) -> None:
    proc, _ = recorded(tmp_path, program)
    census = Census(str(proc), lambda p: p.comm)
    ages = []
    for now in range(100, 221, 15):
        census.tick(float(now), pss_every=60.0)
        at = [p.pss_at for p in census.known.values() if not p.kernel]
        ages.append((max(now - t for t in at), sum(t == now for t in at)))
    assert ages[0] == (0, 4)
    assert all(read == 1 for _, read in ages[1:])  # one of four every quarter of a minute
    assert max(age for age, _ in ages) == 45


def test_with_exactly_the_declared_capabilities_nothing_of_another_user_is_withheld(program: ModuleType) -> None:
    capabilities = program.TRACER.needs.capabilities
    withheld = [unreadable_as_nobody(set(capabilities) - {left_out}) for left_out in (None, *capabilities)]
    assert withheld[0] == []
    assert all(files for files in withheld[1:]), withheld


def unreadable_as_nobody(capabilities: set[str]) -> list[str]:
    """Files of a root's process that a census without root, with these capabilities, was not allowed to read."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another user with chosen capabilities")
    script = """
        import json, sys
        from scalpels_exporter.programs.census import Census
        ctypes_free = Census("/proc", lambda p: "x")
        print(json.dumps("loaded"), flush=True)
        sys.stdin.readline()
        ctypes_free.tick(0.0)
        print(json.dumps(sorted(ctypes_free.known[int(sys.argv[1])].denied)))
    """
    names = [name.removeprefix("CAP_").lower() for name in sorted(capabilities)]
    added = ",".join(["-all", *(f"+{name}" for name in names)])
    setpriv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", f"--inh-caps={added}"]
    ambient = [f"--ambient-caps={added}"] if names else []
    python, environment = public_python()
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        done = subprocess.run(
            [*setpriv, *ambient, python, "-c", textwrap.dedent(script), str(sleeper.pid)],
            input="\n",
            capture_output=True,
            text=True,
            env=environment,
        )
    finally:
        sleeper.kill()
        sleeper.wait()
    assert "loaded" in done.stdout, done.stderr
    files: list[str] = json.loads(done.stdout.splitlines()[-1])
    return files
