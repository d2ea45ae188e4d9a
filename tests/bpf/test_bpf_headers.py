"""Which headers are taken, in made-up trees."""

from pathlib import Path

import pytest

from scalpels_exporter.bpf import headers


def whole(root: Path, folder: str) -> None:
    """As one package has it."""
    for file in ("include/linux/kconfig.h", "include/generated/autoconf.h"):
        (root / folder / file).parent.mkdir(parents=True, exist_ok=True)
        (root / folder / file).touch()


def debian(root: Path, version: str, *, common: bool = True) -> None:
    """Split in two, as Debian has it."""
    flavour, shared = root / f"usr/src/linux-headers-{version}-amd64", root / f"usr/src/linux-headers-{version}-common"
    (flavour / "include/generated").mkdir(parents=True)
    (flavour / "include/generated/autoconf.h").touch()
    (flavour / "Makefile").write_text(f"include /usr/src/linux-headers-{version}-common/Makefile\n")
    if common:
        (shared / "include/linux").mkdir(parents=True)
        (shared / "include/linux/kconfig.h").touch()


def test_the_running_kernels_own_come_first(tmp_path: Path) -> None:
    debian(tmp_path, "6.1.0-56")
    whole(tmp_path, "lib/modules/5.15.0/build")
    found = headers.find("5.15.0", str(tmp_path), "x86_64")
    assert found is not None
    assert (found.version, found.source) == ("5.15.0", tmp_path / "lib/modules/5.15.0/build")
    assert found.flags("x86_64") == []


def test_without_them_the_newest_that_are_whole_serve(tmp_path: Path) -> None:
    debian(tmp_path, "6.1.0-9")
    debian(tmp_path, "6.1.0-56")
    debian(tmp_path, "6.12.3", common=False)
    found = headers.find("6.18.1", str(tmp_path), "x86_64")
    assert found is not None
    assert found.version == "6.1.0-56-amd64"
    assert found.source.name == "linux-headers-6.1.0-56-common"
    assert f"-I{found.build}/arch/x86/include/generated" in found.flags("x86_64")


@pytest.mark.parametrize("machine", ["x86_64", "riscv64"])
def test_where_there_are_none_none_are_found(tmp_path: Path, machine: str) -> None:
    assert headers.find("6.18.1", str(tmp_path), machine) is None


def test_what_to_install_is_said_for_this_machine() -> None:
    assert headers.cure("6.1.0-56-amd64", "x86_64").startswith("apt install linux-headers-6.1.0-56-amd64")
    assert "linux-headers-arm64" in headers.cure("6.1", "aarch64", Path("/nowhere"))


@pytest.mark.parametrize(
    ("release", "machine", "name"),
    [
        ("PRETTY_NAME=Debian\nID=debian\n", "x86_64", "linux-headers-amd64"),
        ("ID=debian\n", "aarch64", "linux-headers-arm64"),
        ('NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\n', "aarch64", "linux-headers-generic"),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "x86_64", "linux-headers-generic"),
        (None, "x86_64", "linux-headers-amd64"),
    ],
)
def test_the_distribution_has_its_name_for_their_package(
    tmp_path: Path, release: str | None, machine: str, name: str
) -> None:
    told = tmp_path / "os-release"
    if release is not None:
        told.write_text(release)
    assert headers.package(machine, told) == name


def test_system_calls_have_their_names_from_the_headers(tmp_path: Path) -> None:
    whole(tmp_path, "lib/modules/5.15.0/build")
    file = tmp_path / "lib/modules/5.15.0/build/arch/x86/include/generated/uapi/asm/unistd_64.h"
    file.parent.mkdir(parents=True)
    file.write_text("#define __NR_read 0\n#define __NR_fsync 74\n#define OTHER 3\n")
    found = headers.find("5.15.0", str(tmp_path), "x86_64")
    assert found is not None
    assert found.numbers("x86_64") == {0: "read", 74: "fsync"}
