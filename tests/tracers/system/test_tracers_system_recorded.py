"""The tracer on a recorded /proc and /sys, against samples that a person can read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest

from scalpels_exporter.declare import Context
from scalpels_exporter.soundness import problems

HERE = Path(__file__).parent
# Blocks of 4096 bytes: 1000, of which 300 are free and 250 for everyone; 500 inodes, of which 400 are free.
FILESYSTEM = os.statvfs_result((4096, 4096, 1000, 300, 250, 500, 400, 400, 0, 255))


@pytest.fixture(name="system")
def system_fixture(stem: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    module = stem("system")
    monkeypatch.setattr(module, "HERTZ", 100)
    monkeypatch.setattr(module, "PAGE_BYTES", 65536)
    yield module
    psutil.PROCFS_PATH = "/proc"


@pytest.fixture(name="asked")
def asked_fixture(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The mountpoints that the tracer asks for their space: those of the recording are not on this machine."""
    asked: list[str] = []

    def statvfs(path: str) -> os.statvfs_result:
        asked.append(path)
        return FILESYSTEM

    monkeypatch.setattr(os, "statvfs", statvfs)
    return asked


def context(system: ModuleType, proc: Path = HERE / "proc", **parameters: Any) -> Context:
    defaults = {parameter.name: parameter.default for parameter in system.TRACER.parameters}
    return Context(defaults | parameters, lambda _: "other", str(proc), str(HERE / "sys"))


@pytest.mark.usefixtures("asked")
def test_a_recorded_machine_gives_the_expected_samples(system: ModuleType) -> None:
    lines = [json.dumps([name, *labels, value]) for name, labels, value in next(system.snapshots(context(system)))]
    assert lines == (HERE / "expected.jsonl").read_text().splitlines()


@pytest.mark.usefixtures("asked")
def test_the_declaration_is_sound_and_declares_all_that_is_given(system: ModuleType) -> None:
    assert not problems(system.TRACER)
    for name, labels, _ in next(system.snapshots(context(system))):
        assert len(system.TRACER.metric(name).labels) == len(labels)


def test_a_network_filesystem_whose_server_may_be_gone_is_never_asked(system: ModuleType, asked: list[str]) -> None:
    next(system.snapshots(context(system, fstypes_left_out="^none$")))
    assert asked == ["/", "/srv/with blank", "/snap/core", "/tank"]


def test_what_is_left_out_can_be_chosen(system: ModuleType, asked: list[str]) -> None:
    chosen = {"fstypes_left_out": "^ext4$", "disks_left_out": "^sda$", "networks_left_out": "^(lo|eth)"}
    labels = {(name, labels[0]) for name, labels, _ in next(system.snapshots(context(system, **chosen))) if labels}
    assert asked == ["/srv/with blank", "/snap/core", "/tank"]
    assert {label for name, label in labels if name == "scalpels_system_disk_busy_seconds_total"} == {
        "loop0",
        "cciss/c0d0",
    }
    assert {label for name, label in labels if name.endswith("receive_bytes_total")} == {"tapf00d"}


def test_a_mountpoint_that_may_not_be_entered_is_left_out(system: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def statvfs(path: str) -> os.statvfs_result:
        if path == "/":
            raise PermissionError(path)
        return FILESYSTEM

    monkeypatch.setattr(os, "statvfs", statvfs)
    samples = next(system.snapshots(context(system)))
    assert [labels[0] for name, labels, _ in samples if name.endswith("filesystem_size_bytes")] == [
        "/srv/with blank",
        "/etc/hosts",  # the same device as /
        "/tank",
    ]


@pytest.mark.usefixtures("asked")
def test_a_kernel_without_pressure_and_file_counts_gives_all_the_rest(system: ModuleType, tmp_path: Path) -> None:
    proc = tmp_path / "proc"
    shutil.copytree(HERE / "proc", proc)
    shutil.rmtree(proc / "pressure")
    shutil.rmtree(proc / "sys")
    given = {name for name, _, _ in next(system.snapshots(context(system, proc)))}
    missing = {metric.name for metric in system.TRACER.metrics} - given
    assert missing == {
        "scalpels_system_pressure_seconds_total",
        "scalpels_system_open_files",
        "scalpels_system_open_files_limit",
    }


def test_a_folder_that_is_no_proc_is_unsupported_with_the_reason(system: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(system.Unsupported, match="stat is not there"):
        next(system.snapshots(context(system, tmp_path)))


@pytest.mark.parametrize(
    ("before", "now", "shown"),
    [
        (1000, 1001, 1001),
        (1000, 1000, 1000),
        (1000, 998, 1000),  # iowait goes back by some ticks
        (1000, 701, 1000),
        (1000, 700, 700),  # a processor that was away begins anew
        (1000, 0, 0),
    ],
)
def test_a_processors_time_goes_back_only_when_it_began_anew(
    system: ModuleType, before: int, now: int, shown: int
) -> None:
    machine = system.Machine(context(system))
    list(machine.processor("0", [before]))
    [(_, labels, value)] = machine.processor("0", [now])
    assert labels == ("0", "user")
    assert value == shown / 100
