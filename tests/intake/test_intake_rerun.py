"""What a command that is run afresh for each tick prints is one snapshot, whether it marks the end itself or not."""

from __future__ import annotations

import pytest

from scalpels_exporter.declare import Command, Gauge, OpenMetrics, Tracer
from scalpels_exporter.intake.intake import Intake

END_OF_RUN = b"\x1e\n"
TRACER = Tracer(
    name="jobs",
    help="Jobs.",
    metrics=(Gauge("scalpels_jobs_waiting", "Jobs.", ("queue",)),),
    runs=Command(("jobs",), OpenMetrics(), mode="rerun"),
)


@pytest.mark.parametrize(
    ("printed", "completed", "families"),
    [
        (b'scalpels_jobs_waiting{queue="a"} 1\n' + END_OF_RUN, 1, {("a",): 1.0}),
        (b'scalpels_jobs_waiting{queue="a"} 1\n# EOF\n' + END_OF_RUN, 1, {("a",): 1.0}),
        (END_OF_RUN, 1, {}),
        (b"# EOF\n" + END_OF_RUN, 1, {}),
    ],
    ids=["unmarked", "marked", "nothing", "nothing but the mark"],
)
def test_a_run_is_one_snapshot(printed: bytes, completed: int, families: dict[tuple[str], float]) -> None:
    intake = Intake(TRACER, 10, lambda: 0.0)
    for turn in (1, 2):
        snapshot = intake.feed(printed)
        assert snapshot is not None
        assert snapshot.families["scalpels_jobs_waiting"] == families
        assert intake.completed == turn * completed
    assert intake.rejected == {}
