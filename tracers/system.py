"""The machine: processors, memory, load, pressure, disks, filesystems and network devices.

Much of it is in node_exporter too. It is here so that one installation answers whether the machine was short of
something, and because these samples are of the same moment as those of the programs beside them.
Through psutil where that is right; what is read here itself says why.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from scalpels_exporter.declare import Context, Counter, Gauge, Generator, Parameter, Sample, Tracer, Unsupported

CPU, MOUNT, DISK, NIC = ("cpu", "mode"), ("mountpoint", "device", "fstype"), ("device",), ("device",)
NETWORK_FSTYPES = r"^(nfs\d?|cifs|smb\d?|9p|afs|ceph|fuse\..*|glusterfs|lustre|gpfs|ocfs2|beegfs)$"
PSEUDO_FSTYPES = r"^(squashfs|iso9660|erofs|udf)$"  # always full, as they are made

TRACER = Tracer(
    name="system",
    help="The machine: processors, memory, load, pressure, disks, filesystems and network devices.",
    metrics=(
        Counter("scalpels_system_cpu_seconds_total", "Time of each processor in each mode.", CPU, "seconds", 8192),
        Counter(
            "scalpels_system_cpu_guest_seconds_total",
            "Time spent for virtual machines; it is in the modes user and nice as well.",
            CPU,
            "seconds",
            2048,
        ),
        Gauge("scalpels_system_load1", "Tasks running or in uninterruptible sleep, averaged over about 1 minute."),
        Gauge("scalpels_system_load5", "Tasks running or in uninterruptible sleep, averaged over about 5 minutes."),
        Gauge("scalpels_system_load15", "Tasks running or in uninterruptible sleep, averaged over about 15 minutes."),
        Gauge("scalpels_system_memory_size_bytes", "Memory that the kernel manages.", unit="bytes"),
        Gauge("scalpels_system_memory_available_bytes", "Memory that can be had without swapping.", unit="bytes"),
        Gauge(
            "scalpels_system_memory_bytes",
            "Memory by what it is used for. The uses overlap: `cached` has `shared` and the reclaimable slabs in it.",
            ("use",),
            "bytes",
        ),
        Gauge("scalpels_system_swap_size_bytes", "Swap space.", unit="bytes"),
        Gauge("scalpels_system_swap_used_bytes", "Swap space in use.", unit="bytes"),
        Counter("scalpels_system_swap_in_bytes_total", "Bytes fetched from swap.", unit="bytes"),
        Counter("scalpels_system_swap_out_bytes_total", "Bytes sent to swap.", unit="bytes"),
        Counter(
            "scalpels_system_pressure_seconds_total",
            "Time in which some or all (`full`) runnable tasks waited for the resource; absent where the kernel has "
            "no pressure stall information.",
            ("resource", "kind"),
            "seconds",
        ),
        Gauge("scalpels_system_filesystem_size_bytes", "Size.", MOUNT, "bytes"),
        Gauge("scalpels_system_filesystem_free_bytes", "Free space, root's reserve included.", MOUNT, "bytes"),
        Gauge("scalpels_system_filesystem_available_bytes", "Free space for everyone.", MOUNT, "bytes"),
        Gauge("scalpels_system_filesystem_inodes", "Inodes; 0 where the filesystem has no fixed number.", MOUNT),
        Gauge("scalpels_system_filesystem_free_inodes", "Free inodes.", MOUNT),
        Counter("scalpels_system_disk_read_bytes_total", "Bytes read.", DISK, "bytes"),
        Counter("scalpels_system_disk_written_bytes_total", "Bytes written.", DISK, "bytes"),
        Counter("scalpels_system_disk_operations_total", "Operations completed.", ("device", "operation")),
        Counter(
            "scalpels_system_disk_operation_seconds_total",
            "Time from queueing to completion, summed over operations.",
            ("device", "operation"),
            "seconds",
        ),
        Counter("scalpels_system_disk_busy_seconds_total", "Time with an operation in flight.", DISK, "seconds"),
        Counter("scalpels_system_network_receive_bytes_total", "Bytes received.", NIC, "bytes"),
        Counter("scalpels_system_network_transmit_bytes_total", "Bytes sent.", NIC, "bytes"),
        Counter("scalpels_system_network_receive_packets_total", "Packets received.", NIC),
        Counter("scalpels_system_network_transmit_packets_total", "Packets sent.", NIC),
        Counter("scalpels_system_network_receive_errors_total", "Packets received broken.", NIC),
        Counter("scalpels_system_network_transmit_errors_total", "Packets that failed to be sent.", NIC),
        Counter("scalpels_system_network_receive_drops_total", "Packets received and dropped.", NIC),
        Counter("scalpels_system_network_transmit_drops_total", "Packets dropped instead of sent.", NIC),
        Gauge("scalpels_system_boot_time_seconds", "Unix time of the boot.", unit="seconds"),
        Gauge("scalpels_system_uptime_seconds", "Time since the boot, suspend included.", unit="seconds"),
        Gauge("scalpels_system_processes", "Tasks that run or could (`running`), or wait for I/O.", ("state",)),
        Counter("scalpels_system_forks_total", "Processes and threads made."),
        Counter("scalpels_system_context_switches_total", "Context switches."),
        Counter("scalpels_system_interrupts_total", "Interrupts served."),
        Gauge("scalpels_system_open_files", "File structures in use."),
        Gauge("scalpels_system_open_files_limit", "File structures that there may be."),
    ),
    runs=Generator("snapshots"),
    parameters=(
        Parameter(
            "fstypes_left_out",
            "pattern",
            f"{NETWORK_FSTYPES}|{PSEUDO_FSTYPES}",
            "Filesystem types never asked. Only those on devices are asked at all: a network filesystem whose server "
            "is gone would hold the answer for ever.",
        ),
        Parameter("disks_left_out", "pattern", r"^(ram|loop|fd|sr|zram)\d+$", "Disks left out. Partitions always are."),
        Parameter(
            "networks_left_out",
            "pattern",
            r"^(veth|cali|lxc|tap|qvo|qvb|qbr)",
            "Network devices left out; by default those that come and go with containers and virtual machines.",
        ),
    ),
    default=True,
    overhead="0.9 ms of CPU a tick (2 processors, 1 disk, 4 network devices; median of 50).",
    series=10_000,
    picture="scalpels_system_load1",  # the sum of all modes of processor time is always their number
)

HERTZ = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest user", "guest nice")
USES = ("free", "buffers", "cached", "shared", "slab", "active", "inactive")
# The kernel's idle and iowait may go back by some ticks (proc(5)); a longer way back is a real beginning from anew.
JITTER_TICKS = 3 * HERTZ
LABEL_BYTES_MOST = 200


def snapshots(context: Context) -> Iterator[Sequence[Sample]]:
    """The state of the machine, once a tick, for ever."""
    psutil.PROCFS_PATH = context.proc
    if not Path(context.proc, "stat").exists():
        raise Unsupported(f"{context.proc}/stat is not there")
    machine = Machine(context)
    while True:
        yield list(machine.samples())


class Machine:
    """Remembers nothing but the processors' times of the last tick."""

    def __init__(self, context: Context) -> None:
        self.proc = Path(context.proc)
        self.sys = Path(context.sys)
        self.left_out = {kind: re.compile(pattern) for kind, pattern in context.parameters.items()}
        self.ticks: dict[str, list[int]] = {}

    def samples(self) -> Iterator[Sample]:
        yield from self.stat()
        yield from self.load()
        yield from self.memory()
        yield from self.pressure()
        yield from self.filesystems()
        yield from self.disks()
        yield from self.networks()

    def words(self, *path: str) -> list[str]:
        """Of a file; none where it is not there."""
        try:
            return Path(self.proc, *path).read_text().split()
        except OSError:
            return []

    def stat(self) -> Iterator[Sample]:
        """psutil numbers processors by their place in the list, which is wrong once one is offline, has neither forks
        nor running tasks, and would read this file once for each of its answers."""
        single = {
            "ctxt": ("scalpels_system_context_switches_total", ()),
            "intr": ("scalpels_system_interrupts_total", ()),
            "processes": ("scalpels_system_forks_total", ()),
            "btime": ("scalpels_system_boot_time_seconds", ()),
            "procs_running": ("scalpels_system_processes", ("running",)),
            "procs_blocked": ("scalpels_system_processes", ("blocked",)),
        }
        for line in (self.proc / "stat").read_text().splitlines():
            name, _, rest = line.partition(" ")
            if name in single:
                yield *single[name], int(rest.split(None, 1)[0])
            elif name.startswith("cpu") and name != "cpu":
                yield from self.processor(name[3:], [int(word) for word in rest.split()])
        for uptime in self.words("uptime")[:1]:
            yield "scalpels_system_uptime_seconds", (), float(uptime)
        if files := self.words("sys", "fs", "file-nr"):
            yield "scalpels_system_open_files", (), int(files[0]) - int(files[1])
            yield "scalpels_system_open_files_limit", (), int(files[2])

    def processor(self, cpu: str, ticks: list[int]) -> Iterator[Sample]:
        before = self.ticks.get(cpu, ticks)
        ticks = [old if old - JITTER_TICKS < new < old else new for new, old in zip(ticks, before, strict=False)]
        self.ticks[cpu] = ticks
        for mode, count in zip(MODES, ticks, strict=False):
            if mode.startswith("guest "):
                yield "scalpels_system_cpu_guest_seconds_total", (cpu, mode[6:]), count / HERTZ
            else:
                yield "scalpels_system_cpu_seconds_total", (cpu, mode), count / HERTZ

    def load(self) -> Iterator[Sample]:
        """psutil asks the C library, which knows no other /proc than its own."""
        one, five, fifteen, *_ = self.words("loadavg")
        yield "scalpels_system_load1", (), float(one)
        yield "scalpels_system_load5", (), float(five)
        yield "scalpels_system_load15", (), float(fifteen)

    def memory(self) -> Iterator[Sample]:
        memory, swap = psutil.virtual_memory(), psutil.swap_memory()
        yield "scalpels_system_memory_size_bytes", (), memory.total
        yield "scalpels_system_memory_available_bytes", (), memory.available
        for use in USES:
            yield "scalpels_system_memory_bytes", (use,), getattr(memory, use)
        yield "scalpels_system_swap_size_bytes", (), swap.total
        yield "scalpels_system_swap_used_bytes", (), swap.used
        # psutil takes every page for 4 KiB.
        yield "scalpels_system_swap_in_bytes_total", (), swap.sin // 4096 * PAGE_BYTES
        yield "scalpels_system_swap_out_bytes_total", (), swap.sout // 4096 * PAGE_BYTES

    def pressure(self) -> Iterator[Sample]:
        """Not in psutil. `full` of the processors is 0 by definition for the whole machine, and left out."""
        for resource in ("cpu", "io", "memory", "irq"):
            for words in zip(*[iter(self.words("pressure", resource))] * 5, strict=False):
                kind, total = words[0], int(words[4].removeprefix("total="))
                if (resource, kind) != ("cpu", "full"):
                    yield "scalpels_system_pressure_seconds_total", (resource, kind), total / 1e6

    def filesystems(self) -> Iterator[Sample]:
        """One mountpoint of each device, the first: containers mount the same one many times over.
        psutil.disk_usage() has neither inodes nor root's reserve."""
        seen = set()
        for mount in psutil.disk_partitions(all=False):
            if mount.device in seen or self.left_out["fstypes_left_out"].search(mount.fstype):
                continue
            try:
                found = os.statvfs(mount.mountpoint)
            except OSError:
                continue  # not ours to enter
            seen.add(mount.device)
            labels = (mount.mountpoint[:LABEL_BYTES_MOST], mount.device[:LABEL_BYTES_MOST], mount.fstype)
            yield "scalpels_system_filesystem_size_bytes", labels, found.f_blocks * found.f_frsize
            yield "scalpels_system_filesystem_free_bytes", labels, found.f_bfree * found.f_frsize
            yield "scalpels_system_filesystem_available_bytes", labels, found.f_bavail * found.f_frsize
            yield "scalpels_system_filesystem_inodes", labels, found.f_files
            yield "scalpels_system_filesystem_free_inodes", labels, found.f_ffree

    def disks(self) -> Iterator[Sample]:
        for device, disk in psutil.disk_io_counters(perdisk=True, nowrap=False).items():
            whole = (self.sys / "block" / device.replace("/", "!")).exists()
            if not whole or self.left_out["disks_left_out"].search(device):
                continue
            yield "scalpels_system_disk_read_bytes_total", (device,), disk.read_bytes
            yield "scalpels_system_disk_written_bytes_total", (device,), disk.write_bytes
            yield "scalpels_system_disk_operations_total", (device, "read"), disk.read_count
            yield "scalpels_system_disk_operations_total", (device, "write"), disk.write_count
            yield "scalpels_system_disk_operation_seconds_total", (device, "read"), disk.read_time / 1000
            yield "scalpels_system_disk_operation_seconds_total", (device, "write"), disk.write_time / 1000
            yield "scalpels_system_disk_busy_seconds_total", (device,), disk.busy_time / 1000

    def networks(self) -> Iterator[Sample]:
        for device, nic in psutil.net_io_counters(pernic=True, nowrap=False).items():
            if self.left_out["networks_left_out"].search(device):
                continue
            yield "scalpels_system_network_receive_bytes_total", (device,), nic.bytes_recv
            yield "scalpels_system_network_transmit_bytes_total", (device,), nic.bytes_sent
            yield "scalpels_system_network_receive_packets_total", (device,), nic.packets_recv
            yield "scalpels_system_network_transmit_packets_total", (device,), nic.packets_sent
            yield "scalpels_system_network_receive_errors_total", (device,), nic.errin
            yield "scalpels_system_network_transmit_errors_total", (device,), nic.errout
            yield "scalpels_system_network_receive_drops_total", (device,), nic.dropin
            yield "scalpels_system_network_transmit_drops_total", (device,), nic.dropout
