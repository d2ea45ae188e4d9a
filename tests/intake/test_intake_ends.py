"""The end of a worker: its last words are taken, and silence is no snapshot."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scalpels_exporter.declare import Columns, Counter, Gauge, Lines, Logfmt, OpenMetrics
from scalpels_exporter.intake.intake import Intake

METRICS = (Gauge("scalpels_try_value", "Value.", ("unit",)),)
Build = Callable[..., Intake]


@pytest.mark.parametrize("mode", ["stream", "ticked", "rerun"])
@pytest.mark.parametrize(
    "form", [Lines(), Logfmt(), Columns(), OpenMetrics()], ids=["lines", "logfmt", "columns", "openmetrics"]
)
def test_a_worker_that_ends_without_a_word_gives_no_snapshot(build: Build, form: object, mode: str) -> None:
    intake = build(form, mode, METRICS)
    assert intake.finish() is None


def test_what_was_counted_before_is_no_news_either(build: Build) -> None:
    intake = build(Lines(), "stream", (Counter("scalpels_try_events_total", "Events.", ("unit",)),))
    assert intake.feed(b"1 a\n") is not None
    intake.restarted()
    assert intake.finish() is None


@pytest.mark.parametrize("mode", ["stream", "ticked", "rerun"])
def test_last_words_without_a_newline_are_taken(build: Build, mode: str) -> None:
    intake = build(Lines(), mode, METRICS)
    intake.feed(b"7 a")
    snapshot = intake.finish()
    assert snapshot is not None
    assert snapshot.families["scalpels_try_value"] == {("a",): 7}
