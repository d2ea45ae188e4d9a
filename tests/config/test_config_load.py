"""What a good file gives, and files that cannot be read at all."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from scalpels_exporter.config.load import load
from scalpels_exporter.config.settings import Budgets, Mistakes, Settings
from scalpels_exporter.config.trust import Trust
from scalpels_exporter.declare import Lines
from scalpels_exporter.programs.known import KNOWN
from scalpels_exporter.programs.rules import Facts, name_program

BUILTIN = Path(__file__).parent / "tracers"
Configured = Callable[[str], Settings]
Mistaken = Callable[[str], list[str]]


def test_without_a_file_every_tracer_has_its_defaults(tmp_path: Path) -> None:
    settings = load(None, builtin=BUILTIN, default=tmp_path / "none.yaml")
    assert {name: chosen.enabled for name, chosen in settings.tracers.items()} == {
        "fs": True,
        "sched": False,
        "syscalls": True,
    }
    assert settings.tracers["syscalls"].parameters == {
        "calls": ("fsync", "futex"),
        "sample": 1.0,
        "slots": 1024,
        "level": "thread",
        "idle": False,
        "every": 10.0,
        "match": "",
    }
    assert settings.tracers["fs"].stem == str(BUILTIN / "fs.py")
    assert settings.programs == KNOWN
    assert (settings.budgets, settings.histograms, settings.source) == (Budgets(0.01, 2000), "classic", "")


def test_the_default_file_is_read_where_it_exists(tmp_path: Path) -> None:
    file = tmp_path / "scalpels.yaml"
    file.write_text("tracers: {fs: off}")
    settings = load(None, builtin=BUILTIN, default=file)
    assert not settings.tracers["fs"].enabled
    assert settings.source == str(file)


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "---\n", "{}\n", "tracers:\nprograms:\ntracer_folders:\nbudgets:\n"]
)
def test_every_key_is_optional(text: str, configured: Configured, tmp_path: Path) -> None:
    assert configured(text).tracers == load(None, builtin=BUILTIN, default=tmp_path / "none").tracers


@pytest.mark.parametrize(
    ("text", "enabled"),
    [
        ("sched: on", True),
        ("sched: {}", True),
        ("sched:", True),
        ("sched: off", False),
        ("sched: {default: off}", False),
    ],
)
def test_a_tracer_is_switched_by_off_on_and_a_mapping(text: str, enabled: bool, configured: Configured) -> None:
    assert configured(f"tracers: {{{text}}}").tracers["sched"].enabled is enabled


def test_parameters_are_read_as_their_kinds(configured: Configured) -> None:
    settings = configured(
        """
        tracers:
          syscalls:
            calls: [fsync, connect]
            sample: 1
            slots: 0x10
            level: process
            idle: yes
            every: 1m30s
            match: '^/var/lib/[a-z]+'
        """
    )
    assert settings.tracers["syscalls"].parameters == {
        "calls": ("fsync", "connect"),
        "sample": 1,
        "slots": 16,
        "level": "process",
        "idle": True,
        "every": 90.0,
        "match": "^/var/lib/[a-z]+",
    }
    assert configured("tracers: {syscalls: {every: 20}}").tracers["syscalls"].parameters["every"] == 20.0


def test_a_series_key_goes_before_the_declaration_and_that_before_the_common_budget(configured: Configured) -> None:
    settings = configured("budgets: {series: 500, overhead: 0.02}\ntracers: {syscalls: {series: 40}}")
    assert {name: chosen.series for name, chosen in settings.tracers.items()} == {
        "fs": 500,
        "sched": 300,
        "syscalls": 40,
    }
    assert settings.budgets == Budgets(0.02, 500)


def test_users_rules_go_before_the_built_in_ones(configured: Configured) -> None:
    settings = configured(
        r"""
        programs:
          - {name: my-database, cmdline: 'mariadbd .*--port=3307'}
          - {name: 'web-\g<site>', unit: 'site@(?P<site>[a-z]+)'}
          - {name: both, exe: '^/opt/', container: '^0f'}
        """
    )
    assert settings.programs[3:] == KNOWN
    for facts, program in [
        (Facts("/usr/sbin/mariadbd --port=3307"), "my-database"),
        (Facts("/usr/sbin/mariadbd --port=3306"), "mariadbd"),
        (Facts("x", unit="site@shop.service"), "web-shop"),
        (Facts("x", exe="/opt/x", container="0fe1"), "both"),
        (Facts("x", exe="/opt/x"), "other"),
    ]:
        assert name_program(settings.programs, facts) == program


def test_anchors_and_merge_keys_save_typing(configured: Configured) -> None:
    settings = configured(
        """
        tracers:
          syscalls: &common {series: 7, default: off}
          sched: {<<: *common, default: on}
          fs: *common
        """
    )
    assert [(c.series, c.enabled) for c in settings.tracers.values()] == [(7, False), (7, True), (7, False)]


def test_settings_can_be_handed_to_another_process(configured: Configured) -> None:
    settings = configured("tracers:\n  vpn:\n    command: sh\nprograms: [{name: a, cmdline: b}]")
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_a_users_folder_adds_its_stems(configured: Configured, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir(0o755)
    (folder / "vpn.py").write_text(
        "from scalpels_exporter.declare import *\n"
        "TRACER = Tracer('vpn', 'VPN.', (Gauge('scalpels_vpn_peers', 'Peers.'),), Command(('sh',), Lines(bindings=("
        "Binding('scalpels_vpn_peers'),))))\n"
    )
    chosen = configured(f"tracer_folders: [{folder}]\ntracers: {{vpn: on}}").tracers["vpn"]
    assert chosen.enabled
    assert chosen.stem == str(folder / "vpn.py")
    assert isinstance(chosen.tracer.runs.format, Lines)


def test_a_folder_that_others_can_write_is_refused_at_its_line(mistaken: Mistaken, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    folder.chmod(0o777)
    assert mistaken(f"tracer_folders:\n  - {folder}\n") == [
        "scalpels.yaml:2: tracer_folders[0]: refused, because only root may be able to write there: "
        "mine can be written by anyone (mode 0777)"
    ]


def test_mistakes_in_stems_come_with_those_of_the_file(mistaken: Mistaken, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "vpn.py").write_text("\n1 / 0\n")
    lines = mistaken(f"tracer_folders: [{folder}]\ntracers: {{vpm: on}}\n")
    assert lines == [
        "scalpels.yaml:2: tracers.vpm: unknown tracer; a script tracer of your own needs the key command",
        "mine/vpn.py:2: the stem cannot be loaded: ZeroDivisionError: division by zero",
    ]


def refused(path: Path, builtin: Path = BUILTIN) -> str:
    with pytest.raises(Mistakes) as caught:
        load(path, builtin=builtin)
    assert len(caught.value.found) == 1
    return str(caught.value).replace(f"{path.parent}/", "")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.yaml") == "none.yaml: expected a file, found none"
    (tmp_path / "folder").mkdir()
    assert refused(tmp_path / "folder") == "folder: expected a file, found something else"


def test_an_unreadable_file_is_refused(tmp_path: Path, open_folder: Path) -> None:
    builtin = shutil.copytree(BUILTIN, open_folder / "builtin")  # the checkout may be root's alone
    file = tmp_path / "a.yaml"
    file.write_text("{}")
    file.chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        assert refused(file, builtin) == "a.yaml: cannot be read: Permission denied"
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b"#" * (1 << 20) + b"\n", "a.yaml: expected at most 1048576 bytes, found more"),
        (b"a: 1\nb: \xff\n", "a.yaml:2: expected UTF-8, found the byte 0xff"),
        ("a: 1".encode("utf-16"), "a.yaml:1: expected UTF-8, found the byte 0xff"),
        (b"a: 1\nb: \x00\n", "a.yaml:2: no YAML: the character U+0000 is not allowed"),
        (b"[" * 100_000, "a.yaml:1: expected a configuration, found more than 20 levels"),
        (b"- a\n" * 100_000, "a.yaml:20000: expected a configuration, found more than 20000 values"),
        (
            b"tracers: {fs: &a {}, sched: &b {<<: *a",
            "a.yaml:1: no YAML: while parsing a flow mapping, expected ',' or '}', but got '<stream end>'",
        ),
    ],
    ids=["large", "latin1", "utf16", "nul", "deep", "long", "open"],
)
def test_a_hostile_file_costs_one_line(raw: bytes, line: str, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(raw)
    assert refused(file) == line


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbftracers: {fs: off}\n")
    assert not load(file, builtin=BUILTIN).tracers["fs"].enabled


def test_a_file_that_anyone_can_write_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("{}")
    file.chmod(0o666)
    assert refused(file) == "a.yaml: can be written by anyone; chmod o-w a.yaml"


def test_the_shipped_tracers_are_sound(tmp_path: Path) -> None:
    assert load(None, default=tmp_path / "none.yaml").tracers


def test_a_privileged_script_must_be_roots_alone(mistaken: Mistaken, configured: Configured, tmp_path: Path) -> None:
    script = tmp_path / "stat.sh"
    script.write_text("#!/bin/sh\n")
    text = f"tracers:\n  vpn:\n    privileged: on\n    command: {script}\n"
    script.chmod(0o700)
    assert configured(text).tracers["vpn"].tracer.runs.privileged  # type: ignore[union-attr]
    script.chmod(0o775)
    assert mistaken(text) == [
        "scalpels.yaml:4: tracers.vpn.command: refused, because what runs with privileges must be root's alone: "
        "stat.sh can be written by its group (mode 0775)"
    ]


def test_a_privileged_script_that_is_not_there_yet_must_come_to_where_root_alone_can_put_it(
    mistaken: Mistaken, configured: Configured, tmp_path: Path
) -> None:
    folder = tmp_path / "mount"
    folder.mkdir()
    folder.chmod(0o755)
    text = f"tracers:\n  vpn:\n    privileged: on\n    command: {folder}/tools/stat.sh\n"
    assert configured(text).tracers["vpn"].enabled
    folder.chmod(0o777)
    assert mistaken(text) == [
        "scalpels.yaml:4: tracers.vpn.command: refused, because what runs with privileges must be root's alone: "
        "mount can be written by anyone (mode 0777)"
    ]


@pytest.mark.parametrize("command", ["/nowhere/stat.sh", "sh /nowhere/stat.sh", "nosuchcommand"])
def test_a_script_that_is_not_there_keeps_no_other_tracer_from_running(configured: Configured, command: str) -> None:
    assert configured(f"tracers: {{vpn: {{command: {command}}}}}").tracers["vpn"].enabled


def test_trust_is_roots_by_default() -> None:
    assert Trust().owner == 0
