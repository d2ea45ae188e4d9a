"""Tracers that live in another one's worker, driven through the real agent."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from running import QUIET, ROOT, RunningAgent

pytestmark = pytest.mark.root

# Reads a line, calls getppid so often, and says so.
CALLING = """
import os, sys
print("ready", flush=True)
for line in sys.stdin:
    for _ in range(int(line)):
        os.getppid()
    print(line.strip(), flush=True)
"""


@pytest.fixture(autouse=True)
def _tools(bcc: None) -> None:
    return None


class Caller:
    """A process that the rules call `caller`; it calls getppid when it is told to, and else never."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout
        assert self._out.readline() == "ready\n"

    def call(self, times: int) -> None:
        print(times, file=self._in, flush=True)
        assert self._out.readline() == f"{times}\n"


@pytest.fixture
def caller() -> Iterator[Caller]:
    command = [sys.executable, "-c", CALLING, "mark-of-the-caller"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Caller(process)


def settings(folder: Path, tracers: str = "  first: {}\n  second: {}\n") -> str:
    rules = "programs:\n  - {name: caller, cmdline: mark-of-the-caller}\n"
    return f"tracer_folders: [{folder}]\n{rules}{QUIET}{tracers}"


def calls(agent: RunningAgent, tracer: str) -> float:
    return agent.value(f"scalpels_{tracer}_calls_total", program="caller") or 0


def state(agent: RunningAgent, tracer: str) -> str:
    found: str = agent.tracer(tracer)["state"]
    return found


@pytest.fixture
def running(
    start_agent: Callable[..., RunningAgent], tracer_folder: Path, caller: Caller, until: Callable[..., object]
) -> RunningAgent:
    agent = start_agent(settings(tracer_folder))
    until(lambda: [state(agent, name) for name in ("first", "second")] == ["running"] * 2, 30, "both run")
    until(lambda: agent.value("scalpels_programs_processes", program="caller") == 1, 10, "the caller has its name")
    return agent


def test_each_counts_exactly_what_came_while_it_was_on(
    running: RunningAgent, caller: Caller, until: Callable[..., object]
) -> None:
    caller.call(100)
    assert [calls(running, name) for name in ("relay", "first", "second")] == [100, 100, 100]
    host = running.tracer("relay")
    assert (host["state"], host["why"]) == ("running", "needed by first, second")
    assert running.tracer("first")["pid"] is None

    running.post("/api/v1/tracers/first/stop", {})
    until(lambda: state(running, "first") == "stopped", 10, "it is off")
    caller.call(20)
    assert [calls(running, name) for name in ("relay", "second")] == [120, 120]
    running.post("/api/v1/tracers/first/start", {})
    until(lambda: state(running, "first") == "running", 10, "it is on again")
    caller.call(3)
    assert [calls(running, name) for name in ("relay", "first", "second")] == [123, 103, 123]
    assert running.tracer("relay")["pid"] == host["pid"]
    assert [running.tracer(name)["starts"] for name in ("relay", "second")] == [1, 1]


def test_a_host_that_is_killed_comes_back_with_all_who_lived_in_it(
    running: RunningAgent, caller: Caller, until: Callable[..., object]
) -> None:
    caller.call(7)
    os.kill(running.tracer("relay")["pid"], signal.SIGKILL)
    until(lambda: running.tracer("first")["why"].startswith("waits for relay"), 5, "they wait for it")
    until(lambda: [state(running, name) for name in ("first", "second")] == ["running"] * 2, 30, "both run again")
    caller.call(5)
    assert [calls(running, name) for name in ("relay", "first", "second")] == [5, 5, 5]
    assert running.value("scalpels_worker_exits_total", tracer="first", reason="host") == 1
    assert running.value("scalpels_worker_exits_total", tracer="relay", reason="signal") == 1


def scalpels(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scalpels_exporter", *words],
        capture_output=True, text=True, timeout=60, check=False, cwd=ROOT, env={**os.environ, **(env or {})},
    )  # fmt: skip


def test_once_runs_one_with_its_host_and_without_an_agent(tracer_folder: Path, caller: Caller) -> None:
    config = tracer_folder / "scalpels.yaml"
    config.write_text(settings(tracer_folder, "  first: {step: 3}\n"))
    words = [sys.executable, "-m", "scalpels_exporter", "once", "first", "--for=6s", f"--config.file={config}"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stderr is not None
        assert "relay: 1 probes on" in process.stderr.readline()
        caller.call(1000)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "scalpels_first_calls_total" in out


def test_a_reload_disturbs_them_only_when_what_they_are_made_of_is_another(
    running: RunningAgent, tracer_folder: Path, caller: Caller, until: Callable[..., object]
) -> None:
    pid = running.tracer("relay")["pid"]
    running.config.write_text(settings(tracer_folder, "  first: off\n  second: {series: 30}\n"))
    assert running.post("/-/reload").status_code == 200
    until(lambda: [state(running, name) for name in ("first", "second")] == ["stopped", "running"], 10, "one is off")
    assert running.tracer("relay")["pid"] == pid

    running.config.write_text(settings(tracer_folder, "  first: {}\n  second: {step: 5}\n"))
    assert running.post("/-/reload").status_code == 200
    until(lambda: [state(running, name) for name in ("first", "second")] == ["running"] * 2, 30, "both run again")
    assert running.tracer("relay")["pid"] != pid
    caller.call(10)
    assert [calls(running, name) for name in ("relay", "first", "second")] == [10, 10, 50]


def test_a_host_that_nobody_needs_any_more_ends_and_comes_with_the_next_who_does(
    running: RunningAgent, caller: Caller, until: Callable[..., object]
) -> None:
    for name in ("first", "second"):
        running.post(f"/api/v1/tracers/{name}/stop", {})
    until(lambda: [state(running, n) for n in ("relay", "first", "second")] == ["stopped"] * 3, 10, "all are off")
    assert running.tracer("relay")["why"] == "off in the configuration"
    running.post("/api/v1/tracers/second/start", {})
    until(lambda: state(running, "second") == "running", 30, "it is on again")
    caller.call(4)
    assert [calls(running, name) for name in ("relay", "second")] == [4, 4]
    assert state(running, "first") == "stopped"


def test_its_process_counts_once_and_what_is_lost_is_told_by_whose_it_is(
    running: RunningAgent, caller: Caller, until: Callable[..., object]
) -> None:
    running.post("/api/v1/tracers/first/stop", {})
    until(lambda: state(running, "first") == "stopped", 10, "it is off")
    before = running.value("scalpels_tracer_lost_total", tracer="relay", reason="unclaimed") or 0
    caller.call(30)  # is_first loses it, and second takes it
    assert (running.value("scalpels_tracer_lost_total", tracer="relay", reason="unclaimed") or 0) == before
    running.post("/api/v1/tracers/first/start", {})
    until(lambda: state(running, "first") == "running", 10, "it is on again")
    assert running.value("scalpels_tracer_lost_total", tracer="first", reason="skipped_first") == 30
    assert (running.value("scalpels_worker_resident_memory_bytes", tracer="relay") or 0) > 1 << 20
    assert running.value("scalpels_worker_resident_memory_bytes", tracer="first") == 0
    assert running.value("scalpels_worker_cpu_seconds_total", tracer="second") == 0


def test_what_this_host_lacks_for_the_host_is_the_reason_of_all_until_it_is_mended(
    start_agent: Callable[..., RunningAgent], tracer_folder: Path, until: Callable[..., object]
) -> None:
    stem = tracer_folder / "relay.py"
    good = stem.read_text()
    need = '        offsets=(Offset("GONE", "task_struct", "no_such_member", required=True),),\n        calls='
    stem.write_text(good.replace("        calls=", need).replace("Field, Table,", "Field, Offset, Table,"))
    agent = start_agent(settings(tracer_folder))
    until(lambda: state(agent, "relay") == "unsupported", 30, "it is found out")
    until(lambda: [state(agent, name) for name in ("first", "second")] == ["unsupported"] * 2, 5, "for all")
    reason = "GONE is not known: this kernel has no task_struct.no_such_member"
    assert agent.tracer("first")["why"] == f"relay: {reason}"
    assert agent.tracer("first")["starts"] == 0
    assert agent.get("/-/ready").status_code == 200
    once = scalpels("once", "first", f"--config.file={agent.config}")
    assert once.returncode == 69, once.stderr
    assert f"unsupported: relay: {reason}" in once.stderr

    stem.write_text(good)
    assert agent.post("/-/reload").status_code == 200
    until(lambda: [state(agent, name) for name in ("first", "second")] == ["running"] * 2, 30, "both run")


def test_a_program_that_the_kernel_refuses_is_said_with_the_file_that_it_stands_in(
    start_agent: Callable[..., RunningAgent], tracer_folder: Path, until: Callable[..., object]
) -> None:
    source = tracer_folder / "second.bpf.c"
    source.write_text(
        source.read_text().replace(
            "int is_second(void *ctx)\n{", "int is_second(void *ctx)\n{\n    ctx = *(void **)0xdead;"
        )
    )
    agent = start_agent(settings(tracer_folder))
    until(lambda: agent.tracer("first")["why"].startswith("waits for relay: ended with exit status 1"), 30, "it failed")
    assert "second.bpf.c: is_second: " in agent.tracer("relay")["why"]
    source.write_text("int is_second(void *ctx)\n{\n    return nothing;\n}\n")
    agent.post("/-/reload")
    until(lambda: "second.bpf.c:3:" in agent.tracer("relay")["why"], 30, "the compiler names file and line too")


def test_names_that_clash_are_a_mistake_of_the_configuration(tracer_folder: Path) -> None:
    stem = tracer_folder / "second.py"
    stem.write_text(stem.read_text().replace('"count_second"', '"count_first"'))
    config = tracer_folder / "scalpels.yaml"
    config.write_text(settings(tracer_folder))
    done = scalpels("check", f"--config.file={config}")
    assert done.returncode == 2
    assert "relay.py: TRACER: runs: CALL_COUNT_FIRST is defined by first and by second: " in done.stderr


def test_doctor_says_of_one_what_its_host_lacks(tracer_folder: Path) -> None:
    stem = tracer_folder / "relay.py"
    stem.write_text(stem.read_text().replace("    runs=Bpf(", '    needs=Needs(files=("/proc/gone",)),\n    runs=Bpf('))
    stem.write_text(stem.read_text().replace("Field, Table,", "Field, Needs, Table,"))
    config = tracer_folder / "scalpels.yaml"
    config.write_text(settings(tracer_folder))
    done = scalpels("doctor", "--json", f"--config.file={config}")
    lacks = {one["tracer"]: [lack["what"] for lack in one["lacks"]] for one in json.loads(done.stdout)["tracers"]}
    assert lacks["relay"] == lacks["first"] == lacks["second"]
    assert "/proc/gone not there" in lacks["first"]
    assert "/proc/gone not there" not in lacks["faults"]


MINE = ("on_getppid", "nobody", "is_first", "count_first", "is_second", "count_second")


def kernel_objects() -> list[int]:
    done = subprocess.run(["bpftool", "-j", "prog", "show"], capture_output=True, check=True, timeout=20)
    return [one["id"] for one in json.loads(done.stdout or b"[]") if one.get("name") in MINE]


@pytest.mark.parametrize("victim", ["agent", "host"])
def test_nothing_is_left_in_the_kernel_of_what_was_killed(
    victim: str, start_agent: Callable[..., RunningAgent], tracer_folder: Path, until: Callable[..., object]
) -> None:
    if shutil.which("bpftool") is None:
        pytest.skip("needs bpftool")
    before = kernel_objects()
    agent = start_agent(settings(tracer_folder))
    until(lambda: state(agent, "first") == "running", 30, "it runs")
    assert len(kernel_objects()) == len(before) + len(MINE)
    agent.tree()
    if victim == "agent":
        agent.process.kill()
        agent.process.wait(15)
        until(lambda: not agent.survivors(), 10, "every process has ended")
        until(lambda: kernel_objects() == before, 20, "nothing is left in the kernel")
    else:
        os.kill(agent.tracer("relay")["pid"], signal.SIGKILL)
        until(lambda: agent.tracer("first")["starts"] == 2, 30, "it is back")
        until(lambda: len(kernel_objects()) == len(before) + len(MINE), 20, "each program is there once")


COMPANION = """

class Heard:
    def __init__(self, kernel):
        self._kernel, self._seen = kernel, 0

    def beat(self):
        self._seen += len(self._kernel.records())
        return 60.0

    def samples(self):
        return [("scalpels_second_heard_total", (), self._seen)]
"""


def test_a_companion_gets_the_records_of_a_ring_of_its_own(
    start_agent: Callable[..., RunningAgent], tracer_folder: Path, caller: Caller, until: Callable[..., object]
) -> None:
    stem, source = tracer_folder / "second.py", tracer_folder / "second.bpf.c"
    text = stem.read_text().replace(
        'lost=("skipped_second",),', 'lost=("skipped_second",),\n        companion="Heard",'
    )
    stem.write_text(text.replace("metrics=(", 'metrics=(Counter("scalpels_second_heard_total", "X."), ') + COMPANION)
    c = source.read_text().replace("int is_second", "BPF_RINGBUF_OUTPUT(second_events, 8);\n\nint is_second")
    source.write_text(
        c.replace("    count = second", "    second_events.ringbuf_output(&step, 8, 0);\n    count = second")
    )
    agent = start_agent(settings(tracer_folder))
    until(lambda: [state(agent, name) for name in ("first", "second")] == ["running"] * 2, 30, "both run")
    until(lambda: agent.value("scalpels_programs_processes", program="caller") == 1, 10, "the caller has its name")
    before = agent.value("scalpels_second_heard_total") or 0
    caller.call(50)
    until(lambda: (agent.value("scalpels_second_heard_total") or 0) - before == 50, 10, "each record has come")
    assert calls(agent, "second") == 50
