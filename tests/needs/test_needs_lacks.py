"""What a host lacks, with a recorded /proc/self/status and on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from scalpels_exporter.bpf.tracefs import NoTracefs
from scalpels_exporter.capabilities import NAMES as CAPABILITIES
from scalpels_exporter.declare import Bpf, Command, Gauge, Generator, Needs, Tracepoint, Tracer
from scalpels_exporter.needs import Lack, for_a_unit, held, kernel_version, lacks

RELEASE = "6.1.0-28-amd64"


def tracer(needs: Needs, argv: tuple[str, ...] = ()) -> Tracer:
    runs = Command(argv) if argv else Generator()
    return Tracer("vpn", "VPN.", (Gauge("scalpels_vpn_x", "X."),), runs, needs=needs)


@pytest.fixture(name="proc")
def proc_fixture(tmp_path: Path) -> Callable[..., str]:
    """A /proc whose self/status has these sets."""

    def proc(uid: int = 1000, permitted: int = 0, effective: int = 0, bounding: int = 0) -> str:
        (tmp_path / "self").mkdir(exist_ok=True)
        (tmp_path / "self" / "status").write_text(
            f"Name:\tx\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nCapInh:\t0000000000000000\nCapPrm:\t{permitted:016x}\n"
            f"CapEff:\t{effective:016x}\nCapBnd:\t{bounding:016x}\nCapAmb:\t0000000000000000\n"
        )
        return str(tmp_path)

    return proc


def bits(*names: str) -> int:
    return sum(1 << CAPABILITIES.index(name) for name in names)


def test_capabilities_are_in_the_order_of_the_kernels_bits() -> None:
    assert (CAPABILITIES.index("CAP_SYS_PTRACE"), CAPABILITIES.index("CAP_SYS_ADMIN")) == (19, 21)
    assert (CAPABILITIES.index("CAP_PERFMON"), CAPABILITIES.index("CAP_BPF")) == (38, 39)


def test_capabilities_are_held_when_permitted_or_effective(proc: Callable[..., str]) -> None:
    both = proc(permitted=bits("CAP_BPF"), effective=bits("CAP_CHOWN"), bounding=bits("CAP_KILL"))
    assert held(both) == {"CAP_BPF", "CAP_CHOWN"}


def test_root_can_take_what_is_in_its_bounding_set(proc: Callable[..., str]) -> None:
    assert held(proc(uid=0, bounding=bits("CAP_KILL", "CAP_BPF"))) == {"CAP_KILL", "CAP_BPF"}


def test_without_a_status_nothing_is_held(tmp_path: Path) -> None:
    assert held(str(tmp_path)) == frozenset()
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "status").write_text("CapPrm:\tzz\nUid:\nnonsense\n")
    assert held(str(tmp_path)) == frozenset()


@pytest.mark.parametrize(
    ("needs", "permitted", "expected"),
    [
        (Needs(), 0, []),
        (Needs(capabilities=("CAP_BPF",)), bits("CAP_BPF"), []),
        (Needs(capabilities=("CAP_BPF", "CAP_PERFMON")), bits("CAP_SYS_ADMIN"), []),
        (
            Needs(capabilities=("CAP_NET_ADMIN",)),
            bits("CAP_SYS_ADMIN"),
            [
                Lack(
                    "capability CAP_NET_ADMIN missing",
                    "run the agent as root, or with AmbientCapabilities=CAP_NET_ADMIN in its systemd unit",
                )
            ],
        ),
        (
            Needs(capabilities=("CAP_BPF", "CAP_KILL", "CAP_PERFMON")),
            bits("CAP_KILL"),
            [
                Lack(
                    "capabilities CAP_BPF, CAP_PERFMON missing",
                    "run the agent as root, or with AmbientCapabilities=CAP_BPF CAP_PERFMON in its systemd unit",
                )
            ],
        ),
    ],
)
def test_missing_capabilities_are_told_at_once(
    needs: Needs, permitted: int, expected: list[Lack], proc: Callable[..., str]
) -> None:
    assert lacks(tracer(needs), proc(permitted=permitted), release=RELEASE) == expected


def test_a_root_that_was_started_without_a_capability_is_not_told_to_become_root(proc: Callable[..., str]) -> None:
    (lack,) = lacks(tracer(Needs(capabilities=("CAP_NET_ADMIN", "CAP_KILL"))), proc(uid=0), release=RELEASE)
    assert lack.cure == (
        "give them to this root: --cap-add or securityContext.capabilities.add of its container (NET_ADMIN KILL), "
        "or CapabilityBoundingSet=CAP_NET_ADMIN CAP_KILL in its systemd unit"
    )


def test_the_capabilities_of_the_worker_to_be_can_be_given(proc: Callable[..., str]) -> None:
    needs = tracer(Needs(capabilities=("CAP_BPF",)))
    assert lacks(needs, proc(), capabilities={"CAP_BPF"}, release=RELEASE) == []
    assert len(lacks(needs, proc(permitted=bits("CAP_BPF")), capabilities=set(), release=RELEASE)) == 1


@pytest.mark.parametrize(
    ("release", "version"),
    [("6.1.0-28-amd64", (6, 1)), ("5.10", (5, 10)), ("6.18.44-fc-v595", (6, 18)), ("rolling", (0, 0))],
)
def test_a_release_begins_with_the_version(release: str, version: tuple[int, int]) -> None:
    assert kernel_version(release) == version


@pytest.mark.parametrize(("release", "missing"), [("5.9.1", True), ("5.10.0", False), ("6.1", False), ("x", True)])
def test_an_older_kernel_is_told(release: str, missing: bool, proc: Callable[..., str]) -> None:
    found = lacks(tracer(Needs(kernel=(5, 10))), proc(), release=release)
    assert found == (
        [Lack(f"kernel {release} is older than 5.10", "boot a kernel of at least 5.10")] if missing else []
    )


@pytest.mark.parametrize(
    ("needs", "argv", "expected"),
    [
        (Needs(commands=("sh",)), (), []),
        (Needs(), ("sh", "-c", "true"), []),
        (Needs(), ("./beside.sh",), []),
        (
            Needs(commands=("ovs-vsctl",), packages={"ovs-vsctl": "openvswitch-switch"}),
            (),
            [Lack("command ovs-vsctl not found", "apt install openvswitch-switch")],
        ),
        (
            Needs(commands=("wg",)),
            ("wg", "show"),
            [Lack("command wg not found", "install wg and put it on the agent's PATH")],
        ),
        (
            Needs(),
            ("/opt/x.sh",),
            [Lack("/opt/x.sh: No such file or directory", "install it there and chmod 755 /opt/x.sh")],
        ),
        (
            Needs(packages={"/usr/sbin/nosuch-bpfcc": "bpfcc-tools"}),
            ("/usr/sbin/nosuch-bpfcc",),
            [Lack("/usr/sbin/nosuch-bpfcc: No such file or directory", "apt install bpfcc-tools")],
        ),
        (
            Needs(),
            ("sh", "/opt/x.sh"),
            [Lack("/opt/x.sh: No such file or directory", "put it there, chmod a+r /opt/x.sh")],
        ),
    ],
)
def test_missing_commands_are_told_with_their_package(
    needs: Needs, argv: tuple[str, ...], expected: list[Lack], proc: Callable[..., str]
) -> None:
    def which(name: str) -> str | None:
        return f"/bin/{name}" if name == "sh" else None

    assert lacks(tracer(needs, argv), proc(), release=RELEASE, which=which) == expected


@pytest.mark.parametrize(
    ("file", "packages", "cure"),
    [
        ("/proc/pressure/cpu", {}, "boot with psi=1 on the kernel's command line"),
        ("/opt/some/file", {}, "provide the file, or stop the tracer with `off` in the configuration"),
        ("/usr/share/some/file", {"/usr/share/some/file": "some-data"}, "apt install some-data"),
    ],
)
def test_missing_files_are_told_with_what_brings_them(
    file: str, packages: dict[str, str], cure: str, proc: Callable[..., str]
) -> None:
    needs = Needs(files=(file,), packages=packages)
    assert lacks(tracer(needs), proc(), release=RELEASE) == [Lack(f"{file} not there", cure)]


def test_files_below_proc_are_looked_for_in_the_given_one(proc: Callable[..., str]) -> None:
    folder = Path(proc(), "pressure")
    folder.mkdir()
    (folder / "cpu").write_text("")
    assert lacks(tracer(Needs(files=("/proc/pressure/cpu",))), proc(), release=RELEASE) == []


def test_an_unreadable_file_is_told_as_such(proc: Callable[..., str]) -> None:
    # Readable by root alone on every Linux; another user of the group shadow would not be told.
    root = os.geteuid() == 0
    where = proc()
    if root:
        os.seteuid(65534)
    try:
        found = lacks(tracer(Needs(files=("/etc/shadow",))), where, capabilities=set(), release=RELEASE)
    finally:
        if root:
            os.seteuid(0)
    assert found == [
        Lack("/etc/shadow cannot be read", "run the agent as root, or give its user permission to read it")
    ]


def test_all_that_is_missing_is_told_in_one_go(proc: Callable[..., str]) -> None:
    needs = Needs(("CAP_BPF",), ("wg",), ("/none",), (9, 0))
    found = lacks(tracer(needs), proc(), release=RELEASE, which=lambda _name: None)
    assert [lack.what.split()[0] for lack in found] == ["kernel", "capability", "command", "/none"]
    assert all("\n" not in str(lack) for lack in found)


def test_this_machine_can_run_a_tracer_without_needs() -> None:
    assert lacks(tracer(Needs(commands=("sh",), files=("/proc/stat",), kernel=(3, 0)))) == []


@pytest.mark.root
def test_root_holds_what_the_machine_allows() -> None:
    assert "CAP_KILL" in held()


@pytest.mark.parametrize(
    ("bcc", "headers", "whats"),
    [
        ("0.26.0", True, []),
        ("0.31.0+git", True, []),
        ("", True, []),
        ("1.0", True, []),
        (None, True, ["Python's bcc is not installed: apt install python3-bpfcc"]),
        ("0.18.0", True, ["Python's bcc 0.18.0 is older than 0.26: run the container image, or "]),
        ("0.26.0", False, ["no kernel headers are installed: apt install linux-headers-6.1.0-9-amd64, or "]),
    ],
)
def test_a_kernel_program_needs_bcc_and_some_headers(bcc: str | None, headers: bool, whats: list[str]) -> None:
    runs = Bpf((Tracepoint("sched", "sched_switch", "on_switch"),))
    found = lacks(
        Tracer("try", "X.", (Gauge("scalpels_try_x", "X."),), runs),
        capabilities={"CAP_BPF", "CAP_PERFMON"},
        release="6.1.0-9-amd64",
        find_bcc=lambda: bcc,
        find_headers=lambda: headers or None,
        find_tracefs=lambda: True,
    )
    assert len(found) == len(whats)
    assert all(str(lack).startswith(what) for lack, what in zip(found, whats, strict=True))


KERNEL_PROGRAM = Tracer(
    "try", "X.", (Gauge("scalpels_try_x", "X."),), Bpf((Tracepoint("sched", "sched_switch", "on_switch"),))
)


def closed() -> None:
    raise NoTracefs("root alone may look into it")


@pytest.mark.parametrize(
    ("have", "find_tracefs", "whats"),
    [
        ({"CAP_BPF", "CAP_PERFMON"}, lambda: True, []),
        (set(), lambda: True, ["capabilities CAP_BPF, CAP_PERFMON missing"]),
        (set(), closed, ["capabilities CAP_BPF, CAP_PERFMON, CAP_DAC_READ_SEARCH missing"]),
        ({"CAP_BPF", "CAP_PERFMON", "CAP_DAC_READ_SEARCH"}, closed, []),
        (
            {"CAP_BPF", "CAP_PERFMON"},
            lambda: None,
            ["tracefs is not mounted, and mounting it takes CAP_SYS_ADMIN"],
        ),
        ({"CAP_SYS_ADMIN"}, lambda: None, []),
    ],
)
def test_a_kernel_program_needs_the_capabilities_to_load_one_and_to_find_its_probes(
    have: set[str], find_tracefs: Callable[[], object], whats: list[str]
) -> None:
    found = lacks(
        KERNEL_PROGRAM,
        capabilities=have,
        find_bcc=lambda: "",
        find_headers=lambda: True,
        find_tracefs=find_tracefs,
    )
    assert [lack.what for lack in found] == whats


def test_a_kernel_program_needs_the_numbers_that_processes_have_on_the_host(tmp_path: Path) -> None:
    own = tmp_path / "self" / "ns"
    own.mkdir(parents=True)
    (own / "pid").touch()  # another file than the host's namespace, which every Linux numbers alike
    found = lacks(
        KERNEL_PROGRAM,
        str(tmp_path),
        capabilities={"CAP_BPF", "CAP_PERFMON"},
        find_bcc=lambda: "",
        find_headers=lambda: True,
        find_tracefs=lambda: True,
    )
    assert [lack.what.partition(":")[0] for lack in found] == ["the agent sees other process numbers than the kernel"]
    assert "hostPID" in found[0].cure


def test_what_a_unit_gives_is_what_all_its_tracers_need_together() -> None:
    other = tracer(Needs(capabilities=("CAP_NET_ADMIN", "CAP_BPF")))
    assert for_a_unit([other]) == ["CAP_BPF", "CAP_NET_ADMIN"]
    both = ["CAP_BPF", "CAP_DAC_READ_SEARCH", "CAP_NET_ADMIN", "CAP_PERFMON"]
    for find_tracefs in (lambda: True, closed):
        assert for_a_unit([other, KERNEL_PROGRAM], find_tracefs) == both
    assert for_a_unit([KERNEL_PROGRAM], lambda: None)[-1] == "CAP_SYS_ADMIN"  # to mount tracefs
    assert for_a_unit([]) == []
