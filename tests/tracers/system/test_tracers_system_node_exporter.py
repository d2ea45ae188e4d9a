"""The tracer beside Debian's prometheus-node-exporter, scraped between two of our own snapshots."""

from __future__ import annotations

import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from scalpels_exporter.declare import Context

pytestmark = pytest.mark.server
Key = tuple[str, tuple[tuple[str, str], ...]]

# Ours (a metric, and labels that are fixed) → theirs. The labels that are left have the same names in both.
COUNTERS: list[tuple[str, dict[str, str], str, float]] = [
    # The last column is the slack: one unit of resolution.
    ("scalpels_system_cpu_seconds_total", {}, "node_cpu_seconds_total", 0.01),
    ("scalpels_system_cpu_guest_seconds_total", {}, "node_cpu_guest_seconds_total", 0.01),
    ("scalpels_system_context_switches_total", {}, "node_context_switches_total", 1),
    ("scalpels_system_interrupts_total", {}, "node_intr_total", 1),
    ("scalpels_system_forks_total", {}, "node_forks_total", 1),
    ("scalpels_system_swap_in_bytes_total", {}, "node_vmstat_pswpin", 4096),
    ("scalpels_system_disk_read_bytes_total", {}, "node_disk_read_bytes_total", 512),
    ("scalpels_system_disk_written_bytes_total", {}, "node_disk_written_bytes_total", 512),
    ("scalpels_system_disk_operations_total", {"operation": "read"}, "node_disk_reads_completed_total", 1),
    ("scalpels_system_disk_operations_total", {"operation": "write"}, "node_disk_writes_completed_total", 1),
    (
        "scalpels_system_disk_operation_seconds_total",
        {"operation": "read"},
        "node_disk_read_time_seconds_total",
        0.001,
    ),
    (
        "scalpels_system_disk_operation_seconds_total",
        {"operation": "write"},
        "node_disk_write_time_seconds_total",
        0.001,
    ),
    ("scalpels_system_disk_busy_seconds_total", {}, "node_disk_io_time_seconds_total", 0.001),
    ("scalpels_system_network_receive_bytes_total", {}, "node_network_receive_bytes_total", 1),
    ("scalpels_system_network_transmit_bytes_total", {}, "node_network_transmit_bytes_total", 1),
    ("scalpels_system_network_receive_packets_total", {}, "node_network_receive_packets_total", 1),
    ("scalpels_system_network_transmit_packets_total", {}, "node_network_transmit_packets_total", 1),
    ("scalpels_system_network_receive_errors_total", {}, "node_network_receive_errs_total", 1),
    ("scalpels_system_network_transmit_errors_total", {}, "node_network_transmit_errs_total", 1),
    ("scalpels_system_network_receive_drops_total", {}, "node_network_receive_drop_total", 1),
    ("scalpels_system_network_transmit_drops_total", {}, "node_network_transmit_drop_total", 1),
    (
        "scalpels_system_pressure_seconds_total",
        {"resource": "cpu", "kind": "some"},
        "node_pressure_cpu_waiting_seconds_total",
        0.01,
    ),
    (
        "scalpels_system_pressure_seconds_total",
        {"resource": "io", "kind": "full"},
        "node_pressure_io_stalled_seconds_total",
        0.01,
    ),
]
GAUGES: list[tuple[str, dict[str, str], str]] = [
    ("scalpels_system_memory_size_bytes", {}, "node_memory_MemTotal_bytes"),
    ("scalpels_system_memory_available_bytes", {}, "node_memory_MemAvailable_bytes"),
    ("scalpels_system_memory_bytes", {"use": "free"}, "node_memory_MemFree_bytes"),
    ("scalpels_system_memory_bytes", {"use": "buffers"}, "node_memory_Buffers_bytes"),
    ("scalpels_system_memory_bytes", {"use": "shared"}, "node_memory_Shmem_bytes"),
    ("scalpels_system_memory_bytes", {"use": "slab"}, "node_memory_Slab_bytes"),
    ("scalpels_system_memory_bytes", {"use": "active"}, "node_memory_Active_bytes"),
    ("scalpels_system_memory_bytes", {"use": "inactive"}, "node_memory_Inactive_bytes"),
    ("scalpels_system_swap_size_bytes", {}, "node_memory_SwapTotal_bytes"),
    ("scalpels_system_boot_time_seconds", {}, "node_boot_time_seconds"),
    ("scalpels_system_load1", {}, "node_load1"),
    ("scalpels_system_load5", {}, "node_load5"),
    ("scalpels_system_load15", {}, "node_load15"),
    ("scalpels_system_filesystem_size_bytes", {}, "node_filesystem_size_bytes"),
    ("scalpels_system_filesystem_free_bytes", {}, "node_filesystem_free_bytes"),
    ("scalpels_system_filesystem_available_bytes", {}, "node_filesystem_avail_bytes"),
    ("scalpels_system_filesystem_inodes", {}, "node_filesystem_files"),
    ("scalpels_system_filesystem_free_inodes", {}, "node_filesystem_files_free"),
    ("scalpels_system_open_files_limit", {}, "node_filefd_maximum"),
]


@pytest.fixture(name="scrape", scope="module")
def scrape_fixture() -> Iterator[Callable[[], dict[Key, float]]]:
    binary = shutil.which("prometheus-node-exporter")
    if binary is None:
        pytest.skip("prometheus-node-exporter is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [f"--web.listen-address=127.0.0.1:{port}", "--collector.netdev.device-exclude=^$"]  # else without lo
    server = subprocess.Popen([binary, *options], stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None

    def scrape() -> dict[Key, float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    try:
        said = next((line for line in server.stderr if "istening on" in line), "")
        assert said, "node_exporter ended before it listened"
        yield scrape
    finally:
        server.kill()
        server.communicate()


@pytest.fixture(name="moments", scope="module")
def moments_fixture(
    stem: Callable[[str], ModuleType], scrape: Callable[[], dict[Key, float]]
) -> tuple[dict[Key, float], dict[Key, float], dict[Key, float]]:
    """Ours before, theirs, ours after."""
    system = stem("system")
    context = Context({p.name: p.default for p in system.TRACER.parameters}, lambda _: "other")
    snapshots = system.snapshots(context)

    def ours() -> dict[Key, float]:
        found = {}
        for name, labels, value in next(snapshots):
            names = system.TRACER.metric(name).labels
            found[name, tuple(sorted(zip(names, labels, strict=True)))] = value
        return found

    next(snapshots)
    return ours(), scrape(), ours()


def pairs(
    moments: tuple[dict[Key, float], dict[Key, float], dict[Key, float]], ours: str, fixed: dict[str, str], theirs: str
) -> Iterator[tuple[tuple[tuple[str, str], ...], float, float, float]]:
    """Labels, our value before, their value, our value after, for each series of ours."""
    before, between, after = moments
    for (name, labels), value in before.items():
        if name != ours or not fixed.items() <= dict(labels).items():
            continue
        rest = tuple(label for label in labels if label[0] not in fixed)
        yield rest, value, between[theirs, rest], after[name, labels]


@pytest.mark.parametrize(("ours", "fixed", "theirs", "slack"), COUNTERS, ids=lambda x: str(x))
def test_a_counter_of_theirs_lies_between_two_of_ours(
    moments: Any, ours: str, fixed: dict[str, str], theirs: str, slack: float
) -> None:
    found = list(pairs(moments, ours, fixed, theirs))
    assert found
    for labels, before, value, after in found:
        assert before - slack <= value <= after + slack, (labels, before, value, after)


@pytest.mark.parametrize(("ours", "fixed", "theirs"), GAUGES, ids=lambda x: str(x))
def test_a_gauge_of_theirs_is_ours_within_one_percent(
    moments: Any, ours: str, fixed: dict[str, str], theirs: str
) -> None:
    found = list(pairs(moments, ours, fixed, theirs))
    if "filesystem" in ours:  # a container may have none on a device
        devices = {dict(labels)["device"] for name, labels in moments[1] if name == theirs}
        assert bool(found) == any(device.startswith("/dev/") for device in devices)
    else:
        assert found
    for labels, before, value, after in found:
        # The load has two decimals; 64 KiB is what one processor keeps of a count of memory to itself.
        slack = 0.01 if "load" in ours else 65536 if "bytes" in ours else 1
        least, most = min(before, after) * 0.99 - slack, max(before, after) * 1.01 + slack
        assert least <= value <= most, (labels, before, value, after)


def test_cached_is_their_page_cache_with_the_reclaimable_slabs(moments: Any) -> None:
    before, between, after = moments
    theirs = between["node_memory_Cached_bytes", ()] + between["node_memory_SReclaimable_bytes", ()]
    ours = ("scalpels_system_memory_bytes", (("use", "cached"),))
    assert min(before[ours], after[ours]) * 0.99 <= theirs <= max(before[ours], after[ours]) * 1.01


def test_every_processor_disk_and_network_device_of_theirs_is_ours_unless_left_out(moments: Any) -> None:
    before, between, _ = moments

    def values(samples: dict[Key, float], name: str, label: str) -> set[str]:
        return {dict(labels)[label] for found, labels in samples if found == name}

    assert values(before, "scalpels_system_cpu_seconds_total", "cpu") == values(
        between, "node_cpu_seconds_total", "cpu"
    )
    left_out = ("veth", "cali", "lxc", "tap", "qvo", "qvb", "qbr", "zram", "sr", "dm-", "md")
    for ours, theirs in (
        ("scalpels_system_disk_read_bytes_total", "node_disk_read_bytes_total"),
        ("scalpels_system_network_receive_bytes_total", "node_network_receive_bytes_total"),
    ):
        mine, others = values(before, ours, "device"), values(between, theirs, "device")
        assert {d for d in others if not d.startswith(left_out)} == {d for d in mine if not d.startswith(left_out)}
