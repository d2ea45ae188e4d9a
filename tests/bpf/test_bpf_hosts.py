"""Hosts that give less: every one of them runs the tracer, or says in one line why not and what to do."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from running import QUIET, ROOT, RunningAgent, processes_of, quiet_but

from scalpels_exporter.catalog import builtin_folder, builtin_shelf

pytestmark = pytest.mark.root
IN_A_NAMESPACE = ["unshare", "--mount", "sh", "-c"]
WITHOUT_TRACEFS = [*IN_A_NAMESPACE, 'mount -t tmpfs none /sys/kernel/tracing && exec "$@"', "sh"]
WITHOUT_HEADERS = [
    *IN_A_NAMESPACE,
    'mount -t tmpfs none /usr/src && if [ -d /lib/modules ]; then mount -t tmpfs none /lib/modules; fi && exec "$@"',
    "sh",
]
WITHOUT_PERFMON = ["capsh", "--drop=cap_perfmon,cap_sys_admin", "--", "-c", 'exec "$@"', "sh"]
WITHOUT_BTF = [*IN_A_NAMESPACE, 'mount -t tmpfs none /sys/kernel/btf && exec "$@"', "sh"]
IN_A_CONTAINER = ["unshare", "--pid", "--fork", "--mount-proc"]
LITTLE = {
    "256 file descriptors": ["prlimit", "--nofile=256:256"],
    "8 MiB of locked memory": ["prlimit", "--memlock=8388608:8388608"],
    "no tracefs mounted": WITHOUT_TRACEFS,
}


@pytest.fixture(autouse=True)
def _tools(bcc: None) -> None:
    for command in ("unshare", "prlimit", "capsh"):
        if shutil.which(command) is None:
            pytest.skip(f"needs {command}")


def settings(folder: Path, more: str = "faults: {}") -> str:
    return f"tracer_folders: [{folder}]\n{QUIET}  {more}\n"


@pytest.mark.parametrize("host", LITTLE)
def test_a_tracer_runs_with_little(
    host: str, start_agent: Callable[..., RunningAgent], tracer_folder: Path, until: Callable[..., object]
) -> None:
    agent = start_agent(settings(tracer_folder), user=LITTLE[host])
    until(lambda: (agent.value("scalpels_faults_total", program="scalpels") or 0) > 0, 30, "faults are counted")


def known_calls() -> Sequence[str]:
    [calls] = [one for one in builtin_shelf().found["syscalls"].tracer.parameters if one.name == "calls"]
    return calls.choices


def shown(agent: RunningAgent, tracer: str) -> str:
    """The state of the tracer; running only when it has counted what the agent's own processes do."""
    state: str = agent.tracer(tracer)["state"]
    counts = (v for (name, _), v in agent.samples().items() if name == f"scalpels_{tracer}_seconds_count")
    return state if state != "running" or sum(counts) > 0 else "silent"


def test_fs_and_syscalls_run_with_little_and_all_their_probes(
    start_agent: Callable[..., RunningAgent], until: Callable[..., object]
) -> None:
    both = [*LITTLE["256 file descriptors"], *LITTLE["8 MiB of locked memory"]]
    agent = start_agent(f"{quiet_but('fs', 'syscalls')}  fs: {{}}\n  syscalls: {{}}\n", user=both)
    for tracer in ("fs", "syscalls"):
        until(lambda tracer=tracer: shown(agent, tracer) == "running", 30, f"{tracer} counts")
        told = re.search(rf'msg="(\d+) probes on .* tracer={tracer}$', agent.log.read_text(), re.MULTILINE)
        assert told is not None
        assert int(told[1]) > 40


def test_a_soft_limit_of_descriptors_is_raised_to_the_hard_one(
    start_agent: Callable[..., RunningAgent], until: Callable[..., object]
) -> None:
    calls = ", ".join(known_calls()[:20])  # two probes each
    agent = start_agent(
        f"{quiet_but('syscalls')}  syscalls: {{calls: [{calls}]}}\n", user=["prlimit", "--nofile=32:256"]
    )
    until(lambda: agent.tracer("syscalls")["state"] == "running", 30, "it runs")


def test_more_probes_than_descriptors_are_told_before_any_is_on(
    start_agent: Callable[..., RunningAgent], until: Callable[..., object]
) -> None:
    calls = ", ".join(known_calls()[:200])
    agent = start_agent(
        f"{quiet_but('syscalls')}  syscalls: {{calls: [{calls}]}}\n", user=LITTLE["256 file descriptors"]
    )
    until(lambda: agent.tracer("syscalls")["state"] == "unsupported", 20, "it is unsupported")
    assert re.search(
        r"its probes take \d+ file descriptors, and of 256 it may have \d+ are left: raise LimitNOFILE=",
        agent.tracer("syscalls")["why"],
    )
    until(lambda: agent.tracer("programs")["state"] == "running", 20, "what is small enough runs")


def test_an_agent_with_process_numbers_of_its_own_counts_nobody_under_a_wrong_name(
    start_agent: Callable[..., RunningAgent], until: Callable[..., object]
) -> None:
    agent = start_agent(f"{quiet_but('syscalls')}  syscalls: {{}}\n", user=IN_A_CONTAINER)
    for tracer in ("syscalls", "programs"):
        until(lambda tracer=tracer: agent.tracer(tracer)["state"] == "unsupported", 20, f"{tracer} is unsupported")
        assert "the agent sees other process numbers than the kernel" in agent.tracer(tracer)["why"]
        assert "hostPID" in agent.tracer(tracer)["why"]
    [inside, *_] = processes_of(agent.pid)[1:]
    os.kill(inside, signal.SIGTERM)  # unshare passes none on
    agent.process.wait(15)


def test_what_needs_the_type_information_says_so_and_the_rest_runs(
    start_agent: Callable[..., RunningAgent], tracer_folder: Path, until: Callable[..., object]
) -> None:
    on = f"{quiet_but('fs', 'syscalls')}  fs: {{}}\n  syscalls: {{}}\n  faults: {{}}\n"
    settings = f"tracer_folders: [{tracer_folder}]\n{on}"
    agent = start_agent(settings, user=WITHOUT_BTF)
    for name in ("fs", "syscalls"):
        until(lambda name=name: agent.tracer(name)["state"] == "unsupported", 20, f"{name} is unsupported")
        assert (
            "/sys/kernel/btf/vmlinux not there (boot a kernel with CONFIG_DEBUG_INFO_BTF" in agent.tracer(name)["why"]
        )
    until(lambda: (agent.value("scalpels_faults_total", program="scalpels") or 0) > 0, 30, "faults are counted")
    assert agent.tracer("programs")["state"] == "running"


def test_fs_does_not_run_on_offsets_that_are_wrong_for_a_known_file(
    start_agent: Callable[..., RunningAgent], tracer_folder: Path, until: Callable[..., object]
) -> None:
    for suffix in (".py", ".bpf.c"):  # the tracer itself under another name, with a self-test that is not passed
        text = (builtin_folder() / f"fs{suffix}").read_text().replace("scalpels_fs_", "scalpels_files_")
        text = text.replace('name="fs"', 'name="files"').replace("    return number;\n", "    return number + 1;\n")
        (tracer_folder / f"files{suffix}").write_text(text)
    agent = start_agent(settings(tracer_folder, "files: {}"))
    until(lambda: agent.tracer("files")["state"] == "unsupported", 30, "it is unsupported")
    assert "the offsets that the kernel's BTF gives are wrong for a known file" in agent.tracer("files")["why"]


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        (WITHOUT_HEADERS, "no kernel headers are installed (apt install linux-headers-"),
        (WITHOUT_PERFMON, "CAP_PERFMON missing"),
    ],
)
def test_a_host_that_cannot_load_is_unsupported_with_what_mends_it(
    host: list[str],
    reason: str,
    start_agent: Callable[..., RunningAgent],
    tracer_folder: Path,
    until: Callable[..., object],
) -> None:
    agent = start_agent(settings(tracer_folder), user=host)
    until(lambda: agent.tracer("faults")["state"] == "unsupported", 20, "it is unsupported")
    assert reason in agent.tracer("faults")["why"]


# The compiler ends its process where it gives up.
DEEP = """
int on_fault(void *ctx)
{
    volatile u8 much[600] = {};
    much[bpf_get_prandom_u32() & 511] = 1;
    return much[bpf_get_prandom_u32() & 511];
}
"""


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("#error out of ideas\n", "faults.bpf.c:1:2: error: out of ideas"),
        ("int on_fault(void *ctx) { return *(int *)0xdead; }\n", "on_fault: R"),
        ("int on_fault(void *ctx) { return 0; }\n", "faults.bpf.c: the source has no map faults"),
        (DEEP, "BPF stack limit"),
    ],
)
def test_a_source_that_is_refused_is_named_with_kernel_headers_and_its_first_error(
    source: str, why: str, start_agent: Callable[..., RunningAgent], tracer_folder: Path, until: Callable[..., object]
) -> None:
    (tracer_folder / "faults.bpf.c").write_text(source)
    agent = start_agent(settings(tracer_folder))
    until(lambda: agent.tracer("faults")["state"] == "backoff", 20, "it has failed")
    said = agent.tracer("faults")["why"]
    assert why in said
    if "no map" not in why and "stack" not in why:
        assert "faults (kernel " in said
    assert agent.tracer("programs")["state"] in ("running", "starting")


@pytest.mark.parametrize(
    ("user", "why"), [(WITHOUT_HEADERS, "no kernel headers"), (WITHOUT_BTF, "btf/vmlinux not there")]
)
@pytest.mark.parametrize("tracer", ["http", "sql"])
def test_once_says_why_the_host_of_a_tracer_cannot_run(user: list[str], why: str, tracer: str) -> None:
    done = once(tracer, user=user)
    assert done.returncode == 69
    assert f"scalpels once: unsupported: wire: {why}" in done.stderr.replace("/sys/kernel/", "")


def test_once_says_why_the_host_of_a_tracer_was_not_loaded(tracer_folder: Path) -> None:
    source = tracer_folder / "first.bpf.c"
    source.write_text(source.read_text().replace("u64 step", "u64 stop"))
    config = tracer_folder / "scalpels.yaml"
    config.write_text(f"tracer_folders: [{tracer_folder}]\n")
    done = once("second", "--config.file", str(config))
    assert done.returncode == 1
    said = "scalpels once: the worker of relay, in which second lives, ended with exit status 1 before"
    last = done.stderr.splitlines()[-1]
    assert last.startswith(said)
    assert "first.bpf.c:19:19: error: use of undeclared identifier 'step'" in last


def once(*words: str, user: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    command = [*user, sys.executable, "-m", "scalpels_exporter", "once", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)


def test_an_unknown_tracepoint_is_unsupported_and_named(
    start_agent: Callable[..., RunningAgent], tracer_folder: Path, until: Callable[..., object]
) -> None:
    stem = tracer_folder / "faults.py"
    stem.write_text(stem.read_text().replace("page_fault_user", "page_fault_loser"))
    agent = start_agent(settings(tracer_folder))
    until(lambda: agent.tracer("faults")["state"] == "unsupported", 20, "it is unsupported")
    assert "this kernel has no tracepoint exceptions:page_fault_loser" in agent.tracer("faults")["why"]


def test_the_agent_serves_while_it_compiles_and_runs_what_others_need(
    start_agent: Callable[..., RunningAgent], tracer_folder: Path, until: Callable[..., object]
) -> None:
    agent = start_agent(settings(tracer_folder))
    assert agent.get("/-/healthy", timeout=1).status_code == 200
    until(lambda: agent.tracer("programs")["state"] == "running", 30, "programs runs")
    assert agent.tracer("programs")["why"] == "needed by faults"
    agent.post("/api/v1/tracers/faults/stop", {})
    until(lambda: agent.tracer("programs")["state"] == "stopped", 10, "nobody needs it any more")


KNOWN_INODE = """
#ifdef TASK_FILES
static __always_inline u64 at(u64 address)
{
    u64 value = 0;
    bpf_probe_read_kernel(&value, sizeof(value), (void *)address);
    return value;
}

int known(struct bpf_raw_tracepoint_args *ctx)
{
    u64 fds = at(at(at(bpf_get_current_task() + TASK_FILES) + FILES_TABLE) + TABLE_FDS);
    u64 inode = at(at(at(fds + 8 * ctx->args[0]) + FILE_INODE) + INODE_NUMBER);
    return ANSWER;
}
#endif
"""


@pytest.mark.parametrize(("answer", "trusted"), [("inode", True), ("inode + 1", False)])
def test_offsets_are_done_without_when_they_are_wrong_for_a_known_file(
    answer: str,
    trusted: bool,
    start_agent: Callable[..., RunningAgent],
    tracer_folder: Path,
    until: Callable[..., object],
) -> None:
    stem = tracer_folder / "faults.py"
    members = (
        ("TASK_FILES", "task_struct", "files"),
        ("FILES_TABLE", "files_struct", "fdt"),
        ("TABLE_FDS", "fdtable", "fd"),
        ("FILE_INODE", "file", "f_inode"),
        ("INODE_NUMBER", "inode", "i_ino"),
    )
    offsets = "".join(f"Offset{member}, " for member in members)
    text = stem.read_text().replace("import Bpf,", "import Bpf, Offset,")
    stem.write_text(
        text.replace("        tables=", f"        offsets=({offsets}),\n        selftest='known',\n        tables=")
    )
    with (tracer_folder / "faults.bpf.c").open("a") as source:
        source.write(KNOWN_INODE.replace("ANSWER", answer))
    agent = start_agent(settings(tracer_folder))
    until(lambda: (agent.value("scalpels_faults_total", program="scalpels") or 0) > 0, 30, "faults are counted")
    assert ("are wrong for a known file" in agent.log.read_text()) is not trusted
