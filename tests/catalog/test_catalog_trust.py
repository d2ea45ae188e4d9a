"""Who can write where: the folder, what is in it, everything above it, every link on the way."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from scalpels_exporter.config.trust import Trust

ME = os.geteuid()


@pytest.fixture(name="trust")
def trust_fixture(tmp_path: Path) -> Callable[..., Trust]:
    """A Trust for which everything above `tmp_path` is sound, and `owners` own what they do."""

    def trust(read_only: bool = False, **owners: int) -> Trust:
        def look(path: Path) -> os.stat_result:
            real = path.lstat()
            if not path.is_relative_to(tmp_path) or path == tmp_path:
                return os.stat_result((stat.S_IFDIR | 0o755, *real[1:4], 0, *real[5:]))
            return os.stat_result((*real[:4], owners.get(path.name, 0), *real[5:]))

        return Trust(0, look, lambda _path: read_only)

    return trust


def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "etc" / "tracers"
    folder.mkdir(parents=True)
    (folder / "a.py").write_text("")
    for path in (tmp_path / "etc", folder, folder / "a.py"):
        path.chmod(0o755)
    return folder


def test_what_is_roots_alone_is_trusted(tmp_path: Path, trust: Callable[..., Trust]) -> None:
    assert trust().folder_problem(tree(tmp_path)) == ""


@pytest.mark.parametrize("which", ["etc", "tracers", "a.py"])
@pytest.mark.parametrize(
    ("mode", "who"),
    [
        (0o777, "anyone (mode 0777)"),
        (0o1777, "anyone (mode 1777)"),
        (0o775, "its group (mode 0775)"),
        (0o702, "anyone (mode 0702)"),
    ],
)
def test_what_others_can_write_is_refused(
    which: str, mode: int, who: str, tmp_path: Path, trust: Callable[..., Trust]
) -> None:
    folder = tree(tmp_path)
    path = next(path for path in (tmp_path / "etc", folder, folder / "a.py") if path.name == which)
    path.chmod(mode)
    assert trust().folder_problem(folder) == f"{path} can be written by {who}"
    assert trust(read_only=True).folder_problem(folder) == ""


@pytest.mark.parametrize("which", ["etc", "tracers", "a.py"])
def test_what_belongs_to_others_is_refused(which: str, tmp_path: Path, trust: Callable[..., Trust]) -> None:
    folder = tree(tmp_path)
    for read_only in (False, True):
        found = trust(read_only, **{which: 1000}).folder_problem(folder)
        assert found.endswith(f"{which} belongs to uid 1000, expected root")


def test_the_user_who_runs_the_agent_is_no_more_trusted_than_others(tmp_path: Path) -> None:
    folder = tree(tmp_path)
    (folder / "a.py").chmod(0o644)
    strict = Trust(owner=ME + 1, stat=Trust().stat)
    assert "belongs to uid" in strict.folder_problem(folder)


def test_a_link_is_as_good_as_where_it_stands_and_where_it_leads(tmp_path: Path, trust: Callable[..., Trust]) -> None:
    folder = tree(tmp_path)
    link = tmp_path / "link"
    link.symlink_to("etc/tracers")
    assert trust().folder_problem(link) == ""
    assert trust(link=1000).folder_problem(link) == f"{link} belongs to uid 1000, expected root"
    open_folder = tmp_path / "open"
    open_folder.mkdir()
    (open_folder / "again").symlink_to(folder)
    open_folder.chmod(0o777)
    assert trust().folder_problem(open_folder / "again") == f"{open_folder} can be written by anyone (mode 0777)"
    (tmp_path / "far").symlink_to(open_folder / ".." / "open" / "again")
    assert trust().folder_problem(tmp_path / "far") == f"{open_folder} can be written by anyone (mode 0777)"


def test_a_link_out_of_the_folder_is_followed(tmp_path: Path, trust: Callable[..., Trust]) -> None:
    folder = tree(tmp_path)
    (tmp_path / "b.py").write_text("")
    (tmp_path / "b.py").chmod(0o666)
    (folder / "b.py").symlink_to("../../b.py")
    assert trust().folder_problem(folder) == f"{tmp_path}/b.py can be written by anyone (mode 0666)"


def test_links_in_a_ring_are_refused(tmp_path: Path, trust: Callable[..., Trust]) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert trust().problem(tmp_path / "a") == f"{tmp_path}/a: too many symbolic links"


def test_what_is_not_there_is_refused(tmp_path: Path, trust: Callable[..., Trust]) -> None:
    assert trust().folder_problem(tmp_path / "none") == f"{tmp_path}/none: No such file or directory"


def test_a_folder_is_looked_through_to_its_bound(tmp_path: Path, trust: Callable[..., Trust]) -> None:
    folder = tree(tmp_path)
    for n in range(1000):
        (folder / f"{n}").touch(0o644)
    assert trust().folder_problem(folder) == f"{folder} holds more than 1000 entries"


@pytest.mark.root
def test_the_real_owner_and_mode_are_looked_at(tmp_path: Path) -> None:
    assert Trust().problem(Path("/etc/passwd")) == ""
    assert Trust().problem(tmp_path) == "/tmp can be written by anyone (mode 1777)"
