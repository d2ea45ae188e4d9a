"""What `once --for` draws, as files of a fixed width that a person can read."""

from __future__ import annotations

import pytest
from cli_process import Golden, Paper

from scalpels_exporter.cli.bars import bar
from scalpels_exporter.cli.drawing import draw
from scalpels_exporter.cli.seen import Distribution, Gain, Span
from scalpels_exporter.declare import (
    Binding,
    Command,
    Counter,
    Counts,
    Explicit,
    Gauge,
    Generator,
    Histogram,
    Lines,
    Tracer,
)
from scalpels_exporter.intake.buckets import Buckets
from scalpels_exporter.intake.snapshot import Snapshot

SECONDS = Histogram("scalpels_fs_seconds", "Time that file operations take.", ("program", "operation"), "seconds")
SIZES = Histogram(
    "scalpels_fs_request_bytes", "Size of reads.", (), "bytes", buckets=Explicit((512.0, 4096.0, 65536.0, 1048576.0))
)
TRACER = Tracer(
    name="fs",
    help="File operations by program.",
    metrics=(
        Counter("scalpels_fs_bytes_total", "Bytes read and written.", ("program", "direction"), "bytes"),
        Counter("scalpels_fs_busy_seconds_total", "Time in the file system.", ("program",), "seconds"),
        Counter("scalpels_fs_errors_total", "Operations that failed.", ("program",)),
        Counter("scalpels_fs_syncs_total", "Calls of sync.", ()),
        Gauge("scalpels_fs_open_files", "Files open now.", ("program",)),
        Gauge("scalpels_fs_used_ratio", "Share of the space in use.", (), "ratio"),
        Gauge("scalpels_fs_cache_bytes", "Page cache.", ("mount",), "bytes"),
        SECONDS,
        SIZES,
    ),
    runs=Generator(),
)


def latencies(low: int, middle: int, high: int) -> Counts:
    made = Buckets(SECONDS.buckets)
    for value, times in ((0.000_3, low), (0.002, middle), (0.2, high)):
        made.observe(value, times)
        made.add_sum(value * times)
    return made.state()


def snapshot(step: int, taken: float) -> Snapshot:
    """Step 0 and what came after: many programs, one of them busy, one quiet, one with an evil name."""
    programs = [f"program-{n:02}" for n in range(14)]
    written = {(name, "write"): 1_000_000 + step * (14 - n) * 300_000 for n, name in enumerate(programs)}
    sizes = Buckets(SIZES.buckets)
    for value in (100, 4000, 4096, 70_000, 2_000_000)[: 5 * min(step, 1)]:
        sizes.observe(value)
        sizes.add_sum(value)
    return Snapshot(
        TRACER,
        {
            "scalpels_fs_bytes_total": {**written, ("idle", "read"): 5},
            "scalpels_fs_busy_seconds_total": {("mariadbd",): 100 + step * 0.75, ("nova-api",): 3 + step * 0.004},
            "scalpels_fs_errors_total": {("mariadbd",): 7, ("nova-api",): 0},
            "scalpels_fs_syncs_total": {(): 12 + step * 1234},
            "scalpels_fs_open_files": {("mariadbd",): 120 + step, ("bad\x1b[31m name\n",): 3},
            "scalpels_fs_used_ratio": {(): 0.534},
            "scalpels_fs_cache_bytes": {},
            "scalpels_fs_seconds": {
                ("mariadbd", "fsync"): latencies(step * 20, step * 700, step * 33),
                ("nova-api", "read"): latencies(5 + step * 9, 0, 0),
                ("idle", "read"): latencies(5, 0, 0),
            },
            "scalpels_fs_request_bytes": {(): sizes.state()},
        },
        taken,
    )


@pytest.fixture
def span() -> Span:
    made = Span(TRACER, started=999.0)
    for step in range(3):
        made.add(snapshot(step, 1000.0 + 2.5 * step))
    return made


@pytest.mark.parametrize("width", [80, 160, None])
def test_a_span_is_drawn(span: Span, width: int | None, golden: Golden) -> None:
    sheet = Paper(width)
    draw(span, sheet.screen, top=10)
    golden(f"span-{width or 'plain'}.txt", sheet.text)
    if width:
        assert max(map(len, sheet.text.splitlines())) <= width
    else:
        assert "\x1b" not in sheet.raw


def test_top_is_the_number_of_series_of_each_metric(span: Span) -> None:
    sheet = Paper(None)
    draw(span, sheet.screen, top=1)
    assert "program-00" in sheet.text
    assert "program-01" not in sheet.text
    assert "13 more (--top 14 shows all)" in sheet.text


def test_counters_begin_at_the_first_snapshot_and_new_series_at_nothing(span: Span) -> None:
    later = snapshot(2, 1005.0)
    written = {**later.families["scalpels_fs_bytes_total"], ("new", "read"): 77}
    span.add(Snapshot(TRACER, {**later.families, "scalpels_fs_bytes_total": written}, 1006.0))
    seen = next(iter(span.metrics()))
    changes = {row.labels: row.change for row in seen.rows if isinstance(row, Gain)}
    assert changes["new", "read"] == 77
    assert changes["program-00", "write"] == 2 * 14 * 300_000
    assert seen.unchanged == 1


def test_what_the_agent_adds_up_itself_begins_when_the_worker_starts() -> None:
    metric = Counter("scalpels_x_lines_total", "Lines.", ("kind",))
    binding = Binding(metric.name, labels={"kind": "kind"})
    lines = Command(("x",), Lines(r"(?P<kind>\w+) (?P<value>\d+)", (binding,)))
    tracer = Tracer("x", "Lines.", (metric,), lines)
    made = Span(tracer, started=1000.0)
    made.add(Snapshot(tracer, {metric.name: {("a",): 5}}, 1001.0))
    made.add(Snapshot(tracer, {metric.name: {("a",): 15}}, 1003.0))
    (seen,) = made.metrics()
    assert seen.rows == (Gain(("a",), 15),)
    assert made.seconds == 3.0


def test_the_busiest_histogram_stands_first_and_one_without_values_is_only_counted(span: Span) -> None:
    seen = next(s for s in span.metrics() if s.metric is SECONDS)
    assert [row.labels for row in seen.rows] == [("mariadbd", "fsync"), ("nova-api", "read")]
    first = seen.rows[0]
    assert isinstance(first, Distribution)
    assert first.spread.count == 2 * 753
    assert seen.unchanged == 1


def test_one_snapshot_alone_gives_no_rate() -> None:
    made = Span(TRACER, started=999.0)
    made.add(snapshot(1, 1000.0))
    sheet = Paper(None)
    draw(made, sheet.screen, top=3)
    assert "1 snapshot, 0 s" in sheet.text
    assert "/s" not in sheet.text


@pytest.mark.parametrize(
    ("share", "text"), [(0, ""), (1, "████"), (0.5, "██"), (0.001, "▏"), (0.53125, "██▏"), (2, "████")]
)
def test_a_bar_shows_eighths_of_a_cell_and_whatever_is_not_nothing(share: float, text: str) -> None:
    assert bar(share, 4) == text
