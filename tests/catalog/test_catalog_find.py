"""Stems in folders: which are found, which are refused, each with one line."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scalpels_exporter.catalog import Found, builtin_folder, find, load_module
from scalpels_exporter.config.settings import Mistakes
from scalpels_exporter.config.trust import Trust

GOOD = """
from scalpels_exporter.declare import Gauge, Generator, Tracer
TRACER = Tracer("{name}", "Help.", (Gauge("scalpels_{name}_x", "Help."),), Generator())
def snapshots(context):
    yield []
"""
COMMAND = """
from scalpels_exporter.declare import *
TRACER = Tracer("vpn", "Help.", (Gauge("scalpels_vpn_x", "Help."),), Command(("./vpn.sh",), Samples()))
"""


@pytest.fixture(name="trust")
def trust_fixture(tmp_path: Path) -> Trust:
    """Whoever runs the tests is root, and the folders above `tmp_path` are root's."""

    def look(path: Path) -> os.stat_result:
        real = path.lstat()
        if path.is_relative_to(tmp_path) and path != tmp_path:
            return real
        return os.stat_result((stat.S_IFDIR | 0o755, *real[1:4], os.geteuid(), *real[5:]))

    return Trust(owner=os.geteuid(), stat=look)


@pytest.fixture(name="folder")
def folder_fixture(tmp_path: Path) -> Callable[..., Path]:
    """A folder with these stems: name → text, mode 0644."""

    def folder(where: str, **stems: str) -> Path:
        made = tmp_path / where
        made.mkdir(0o755)
        for name, text in stems.items():
            (made / f"{name}.py").write_text(text.replace("{name}", name))
            (made / f"{name}.py").chmod(0o644)
        return made

    return folder


def refused(folders: list[Path], builtin: Path, trust: Trust, tmp_path: Path) -> list[str]:
    with pytest.raises(Mistakes) as caught:
        find(folders, builtin, trust)
    return str(caught.value).replace(f"{tmp_path}/", "").splitlines()


def test_stems_are_found_in_the_built_in_and_in_users_folders(folder: Callable[..., Path], trust: Trust) -> None:
    builtin, one, two = folder("builtin", fs=GOOD, sched=GOOD), folder("one", vpn=GOOD), folder("two", ovs=GOOD)
    (builtin / "__init__.py").write_text("")
    (builtin / "fs.bpf.c").write_text("")
    (builtin / "_draft.py").write_text("1 / 0")
    found = find([one, two], builtin, trust)
    assert list(found) == ["fs", "sched", "vpn", "ovs"]
    assert found["vpn"] == Found(found["vpn"].tracer, str(one / "vpn.py"))


def test_a_user_may_not_replace_a_tracer(folder: Callable[..., Path], trust: Trust, tmp_path: Path) -> None:
    builtin, one, two = folder("builtin", fs=GOOD), folder("one", fs=GOOD, vpn=GOOD), folder("two", vpn=GOOD)
    assert refused([one, two], builtin, trust, tmp_path) == [
        'one/fs.py: the name "fs" is taken by builtin/fs.py; choose another',
        'two/vpn.py: the name "vpn" is taken by one/vpn.py; choose another',
    ]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("import nothing_of_the_kind", ["vpn.py:1: the stem cannot be loaded: ModuleNotFoundError: No module named "
                                        "'nothing_of_the_kind'"]),
        ("\n\nraise SystemExit('bye')", ["vpn.py:3: the stem cannot be loaded: SystemExit: bye"]),
        ("a = (", ["vpn.py:1: the stem cannot be loaded: SyntaxError: '(' was never closed"]),
        ("a\n  b", ["vpn.py:2: the stem cannot be loaded: IndentationError: unexpected indent"]),
        ("a = '\x00'", ["vpn.py: the stem cannot be loaded: ValueError: source code string cannot contain null bytes"]),
        ("raise ValueError('two\\nlines')", ["vpn.py:1: the stem cannot be loaded: ValueError: two lines"]),
        ("import json\njson.loads('{')", [
            "vpn.py:2: the stem cannot be loaded: JSONDecodeError: Expecting property name enclosed in double quotes: "
            "line 1 column 2 (char 1)"]),
        ("", ["vpn.py: expected TRACER = Tracer(…), found none"]),
        ("TRACER = 'vpn'", ["vpn.py: expected TRACER = Tracer(…), found a str"]),
        ("from scalpels_exporter.declare import *\nTRACR = 1", [
            "vpn.py: expected TRACER = Tracer(…), found TRACR alone"]),
        (GOOD.replace("{name}", "other"), ['vpn.py: TRACER: name: expected "vpn", the name of its file, got "other"']),
        (GOOD.replace("snapshots", "shots"), [
            "vpn.py: TRACER: runs: expected the function snapshots in the file, found none"]),
        (GOOD.replace('"Help."', '""'), [
            "vpn.py: TRACER: help: expected a sentence, got nothing",
            "vpn.py: TRACER: metric scalpels_vpn_x: help: expected a sentence, got nothing",
        ]),
        (GOOD.replace('"Help.",', '"Help.", ["x"],'), [
            "vpn.py: TRACER: metrics: expected a tuple of Metrics, got ['x']",
            "vpn.py: TRACER: runs: expected a Generator or a Command or a Bpf or a Parser, got "
            "(Gauge(name='scalpels_vpn_x', help='Help.', labels=(), unit…",
            "vpn.py: TRACER: parameters: expected a tuple of Parameters, got Generator(function='snapshots', "
            "format=Samples())",
        ]),
        (COMMAND, ["vpn.py: TRACER: runs: expected ./vpn.sh beside the file, found none"]),
    ],
)  # fmt: skip
def test_a_bad_stem_is_refused_without_a_traceback(
    text: str, lines: list[str], folder: Callable[..., Path], trust: Trust, tmp_path: Path
) -> None:
    found = refused([folder("mine", vpn=text)], folder("builtin"), trust, tmp_path)
    assert found == [f"mine/{line}" for line in lines]


def test_a_script_beside_its_stem_must_be_executable(folder: Callable[..., Path], trust: Trust, tmp_path: Path) -> None:
    mine = folder("mine", vpn=COMMAND)
    (mine / "vpn.sh").write_text("#!/bin/sh\n")
    (mine / "vpn.sh").chmod(0o644)
    builtin = folder("builtin")
    assert refused([mine], builtin, trust, tmp_path) == [
        "mine/vpn.py: TRACER: runs: ./vpn.sh cannot be executed by the user that runs it: chmod 755 mine/vpn.sh"
    ]
    (mine / "vpn.sh").chmod(0o755)
    assert list(find([mine], builtin, trust)) == ["vpn"]


def test_the_mistakes_of_all_folders_are_told_at_once(
    folder: Callable[..., Path], trust: Trust, tmp_path: Path
) -> None:
    mine = folder("mine", a1="1/0", b2="", c3=GOOD)
    lines = refused([mine, tmp_path / "none", Path("relative")], folder("builtin"), trust, tmp_path)
    assert lines == [
        "mine/a1.py:1: the stem cannot be loaded: ZeroDivisionError: division by zero",
        "mine/b2.py: expected TRACER = Tracer(…), found none",
        "none: refused, because only root may be able to write there: none: No such file or directory",
        "relative: expected an absolute path, got relative",
    ]


def test_nothing_of_an_unsafe_folder_is_run(folder: Callable[..., Path], trust: Trust, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    mine = folder("mine", vpn=f"open({str(mark)!r}, 'w')")
    mine.chmod(0o777)
    refused([mine], folder("builtin"), trust, tmp_path)
    assert not mark.exists()


def test_loading_a_stem_leaves_no_trace(folder: Callable[..., Path]) -> None:
    mine = folder("mine", vpn="from __future__ import annotations\nfrom dataclasses import dataclass\n"
                              "@dataclass(slots=True)\nclass A:\n    b: int = 3\n")  # fmt: skip
    before = set(sys.modules)
    module = load_module(str(mine / "vpn.py"))
    assert module.A().b == 3
    assert set(sys.modules) == before
    assert [path.name for path in mine.iterdir()] == ["vpn.py"]


def test_a_stem_is_read_afresh_each_time(folder: Callable[..., Path]) -> None:
    mine = folder("mine", vpn="A = 1")
    assert load_module(str(mine / "vpn.py")).A == 1
    (mine / "vpn.py").write_text("A = 2")  # the same size, within the same second
    assert load_module(str(mine / "vpn.py")).A == 2


def test_the_built_in_folder_of_a_checkout_is_beside_the_package() -> None:
    folder = builtin_folder()
    assert folder.name == "tracers"
    assert "program" in find()
    assert all(found.stem.startswith(str(folder)) for found in find().values())


def test_the_built_in_folder_of_a_wheel_is_inside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "scalpels_exporter"
    (package / "tracers").mkdir(parents=True)
    monkeypatch.setattr("scalpels_exporter.catalog.__file__", str(package / "catalog.py"))
    assert builtin_folder() == package / "tracers"
