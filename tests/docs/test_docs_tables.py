"""The tables of classic tools that the documentation shows are read as it says, as these tools printed them."""

from __future__ import annotations

from pathlib import Path

import pytest

from scalpels_exporter.config.load import load
from scalpels_exporter.declare import Command
from scalpels_exporter.intake.intake import Intake

PAGE = Path(__file__).parent.parent.parent / "docs" / "configuration.md"
RECORDED = Path(__file__).parent.parent / "intake" / "recorded"
DISKS = (("/",), ("/dev/shm",), ("/mnt/my disk",))


@pytest.mark.parametrize(
    ("tool", "families"),
    [
        (
            "df",
            {
                "scalpels_df_used_bytes": dict(zip(DISKS, (14599476 * 1024, 76 * 1024, 292972 * 1024), strict=True)),
                "scalpels_df_used_ratio": dict(zip(DISKS, (16 * 0.01, 0.01, 28 * 0.01), strict=True)),
            },
        ),
        (
            "vmstat",
            {
                "scalpels_vmstat_runnable": {(): 1},
                "scalpels_vmstat_free_bytes": {(): 23237084 * 1024},
                "scalpels_vmstat_idle_ratio": {(): 1.0},
            },
        ),
        (
            "ps",
            {
                "scalpels_ps_resident_bytes": {("/sbin/init splash",): 1788 * 1024},
                "scalpels_ps_threads": {("/sbin/init splash",): 1},
            },
        ),
    ],
)
def test_what_a_tool_printed_becomes_what_the_page_says(tool: str, families: object, tmp_path: Path) -> None:
    text = next(part for part in PAGE.read_text().split("```") if f"\n  {tool}:" in part and part.startswith("yaml"))
    file = tmp_path / "scalpels.yaml"
    file.write_text(text.removeprefix("yaml"))
    tracer = load(file).tracers[tool].tracer
    assert isinstance(tracer.runs, Command)
    intake = Intake(tracer, 100, lambda: 0.0)
    snapshot = None
    for line in (RECORDED / f"{tool}.txt").read_bytes().splitlines(keepends=True):
        snapshot = intake.feed(line) or snapshot
    if tracer.runs.mode == "rerun":
        snapshot = intake.feed(b"\x1e\n")
    assert snapshot is not None
    assert snapshot.families == families
    assert intake.rejected == {}
