"""`list` as it looks in terminals and files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_process import Golden, Paper, run

from scalpels_exporter.cli.client import Listing, Told
from scalpels_exporter.cli.list import STYLES, show_tracers
from scalpels_exporter.supervise.status import State

NOW = 1_800_000_000.0


def told(name: str, state: str, why: str, age: float, series: int = 0, refused: int = 0, cpu: float = 0,
         memory: int = 0, lease: float | None = None) -> Told:  # fmt: skip
    return Told(name, state, why, NOW - age, series, refused, cpu, memory, lease and NOW + lease)


LISTING = Listing(
    "0.1.0",
    NOW,
    [
        told("blockio", "running", "configured", 3 * 86400, 1840, cpu=431.7, memory=21 << 20),
        told("fs", "running", "started by alice: slow image uploads since noon", 130, 312, 0, 1.2, 18 << 20, 471),
        told("ovs", "unsupported", "command ovs-vsctl not found (apt install openvswitch-switch)", 7300),
        told("port", "stopped", "off in the configuration", 7300),
        told("sql", "failed", "ended with exit status 1: KeyError: 'x' (sql.py:12)", 4, cpu=0.31),
        told("vpn", "starting", "configured", 0.2, refused=1207, cpu=0.01, memory=9 << 20),
    ],
    b"",
)


@pytest.mark.parametrize("width", [80, 160, None])
def test_a_listing_is_shown(width: int | None, golden: Golden) -> None:
    sheet = Paper(width)
    show_tracers(LISTING, sheet.screen)
    golden(f"list-{width or 'plain'}.txt", sheet.text)
    if width:
        assert max(map(len, sheet.text.splitlines())) <= width
    else:
        assert "\x1b" not in sheet.raw


def test_a_file_gets_every_reason_whole() -> None:
    sheet = Paper(None)
    show_tracers(LISTING, sheet.screen)
    assert all(told.why in sheet.text for told in LISTING.tracers)


def test_the_state_is_a_word_with_a_colour_that_the_terminal_names() -> None:
    sheet = Paper(160, colours=True)
    show_tracers(LISTING, sheet.screen)
    assert "\x1b[32mrunning" in sheet.raw
    assert "\x1b[1;31mfailed" in sheet.raw
    assert "38;" not in sheet.raw  # no colour of our own, which somebody's background would swallow


def test_every_state_has_its_colour() -> None:
    assert set(STYLES) == {state.value for state in State}


def test_offline_says_what_is_declared_and_what_the_file_makes_of_it(open_folder: Path) -> None:
    config = open_folder / "c.yaml"
    config.write_text("tracers:\n  program: off\n  vpn:\n    command: echo 1\n    help: What the tunnel carries.\n")
    done = run("list", "--offline", "--config.file", config)
    assert done.returncode == 0
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    assert rows["program"][:2] == ["off", "on"]
    assert rows["vpn"][0] == "on"
    assert "What the tunnel carries." in done.stdout
    found = json.loads(run("list", "--offline", "--json", "--config.file", config).stdout)
    assert [t["enabled"] for t in found if t["tracer"] in ("program", "vpn")] == [False, True]
