"""Facts of processes from recorded /proc/PID files, and from a real process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from scalpels_exporter.programs.identify import facts, parse_cgroup, parse_cmdline
from scalpels_exporter.programs.rules import Facts

ID = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
POD = "kubepods-burstable-pod12345678_1234_1234_1234_123456789abc.slice"


@pytest.mark.parametrize(
    ("cgroup", "unit", "container"),
    [
        # v2
        ("0::/system.slice/nova-compute.service\n", "nova-compute.service", ""),
        ("0::/\n", "", ""),
        ("0::/init.scope\n", "init.scope", ""),
        ("0::/user.slice/user-1000.slice/session-3.scope\n", "session-3.scope", ""),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/billing.service\n", "billing.service", ""),
        ("0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", "user@1000.service", ""),
        ("0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n", "postgresql@15-main.service", ""),
        (r"0::/system.slice/system-web.slice/web@eu\x2dcentral.service" + "\n", "web@eu-central.service", ""),
        (r"0::/machine.slice/machine-qemu\x2d1\x2dinstance\x2d0000002a.scope/libvirt/emulator" + "\n",
         "machine-qemu-1-instance-0000002a.scope", ""),
        (r"0::/system.slice/odd\x0aname\xff.service" + "\n", r"odd\x0aname\xff.service", ""),
        ("0::/system.slice/_cpu.service\n", "cpu.service", ""),
        # containers
        (f"0::/system.slice/docker-{ID}.scope\n", f"docker-{ID}.scope", ID[:12]),
        (f"0::/docker/{ID}\n", "", ID[:12]),
        (f"0::/kubepods.slice/kubepods-burstable.slice/{POD}/cri-containerd-{ID}.scope\n",
         f"cri-containerd-{ID}.scope", ID[:12]),
        (f"0::/kubepods.slice/{POD}/crio-{ID}.scope\n", f"crio-{ID}.scope", ID[:12]),
        (f"0::/kubepods/burstable/pod12345678-1234-1234-1234-123456789abc/{ID}\n", "", ID[:12]),
        (f"0::/system.slice/containerd.service/{POD}:cri-containerd:{ID}\n", "containerd.service", ID[:12]),
        (f"0::/machine.slice/libpod-{ID}.scope/container\n", f"libpod-{ID}.scope", ID[:12]),
        (f"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope\n",
         "user@1000.service", ID[:12]),
        (f"0::/machine.slice/libpod-conmon-{ID}.scope\n", f"libpod-conmon-{ID}.scope", ""),
        (f"0::/kubepods.slice/{POD}/crio-conmon-{ID}.scope\n", f"crio-conmon-{ID}.scope", ""),
        ("0::/lxc.payload.mail/system.slice/exim4.service\n", "exim4.service", "mail"),
        ("0::/lxc/mail/init.scope\n", "init.scope", "mail"),
        (f"0::/../../{POD}/cri-containerd-{ID}.scope\n", f"cri-containerd-{ID}.scope", ID[:12]),
        (f"0::/docker/{ID}/system.slice/nova-compute.service\n", "nova-compute.service", ID[:12]),
        (f"0::/docker/{'f' * 64}/docker/{ID}\n", "", ID[:12]),
        ("0::/some/where/0123456789abcdef\n", "", ""),
        # v1
        ("12:pids:/system.slice/mariadb.service\n1:name=systemd:/system.slice/mariadb.service\n",
         "mariadb.service", ""),
        (f"12:memory:/docker/{ID}\n11:cpu,cpuacct:/docker/{ID}\n1:name=systemd:/docker/{ID}\n", "", ID[:12]),
        ("3:cpuset:/libvirt/x.service\n1:name=systemd:/system.slice/libvirtd.service\n", "libvirtd.service", ""),
        (f"4:memory:/docker/{ID}\n1:name=systemd:/\n", "", ID[:12]),
        # hybrid
        ("1:name=systemd:/system.slice/ssh.service\n0::/system.slice/ssh.service\n", "ssh.service", ""),
        ("1:name=systemd:/system.slice/ssh.service\n0::/\n", "ssh.service", ""),
        # not of this world
        ("", "", ""),
        ("nonsense\n:::\n0::\n", "", ""),
        ("0::/system.slice/a:b.service\n", "a:b.service", ""),
    ],
)  # fmt: skip
def test_a_cgroup_tells_the_unit_and_the_container(cgroup: str, unit: str, container: str) -> None:
    assert parse_cgroup(cgroup.encode()) == (unit, container)


@pytest.mark.parametrize(
    ("raw", "cmdline"),
    [
        (b"/usr/sbin/sshd\0-D\0", "/usr/sbin/sshd -D"),
        (b"nova-conductor: worker\0\0\0\0\0\0", "nova-conductor: worker"),
        (b"postgres: walwriter   \0", "postgres: walwriter"),
        (b"sh\0-c\0\0x\0", "sh -c  x"),
        (b"", ""),
        (b"\0\0", ""),
        (b"a\xff\0", "a�"),
    ],
)
def test_arguments_are_joined_by_one_blank(raw: bytes, cmdline: str) -> None:
    assert parse_cmdline(raw) == cmdline


def test_the_facts_of_this_process_are_those_that_it_knows_itself() -> None:
    own = facts(os.getpid())
    assert own.exe == str(Path(sys.executable).resolve())
    assert own.cmdline.startswith(sys.orig_argv[0])


def test_a_vanished_process_has_no_facts(tmp_path: Path) -> None:
    assert facts(1, str(tmp_path)) == Facts()


def test_an_executable_that_was_replaced_is_named_without_the_kernels_remark(tmp_path: Path) -> None:
    process = tmp_path / "7"
    process.mkdir()
    (process / "exe").symlink_to("/usr/sbin/mariadbd (deleted)")
    (process / "cmdline").write_bytes(b"/usr/sbin/mariadbd\0" + b"x" * 10_000)
    (process / "cgroup").write_text("0::/system.slice/mariadb.service\n")
    found = facts(7, str(tmp_path))
    assert (found.exe, found.unit) == ("/usr/sbin/mariadbd", "mariadb.service")
    assert len(found.cmdline) == 4096
