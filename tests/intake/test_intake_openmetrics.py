"""Format openmetrics: what prometheus_client and promtool would write is read back; the rest is refused by reason."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from scalpels_exporter.declare import Counts, OpenMetrics
from scalpels_exporter.exposition.render import Renderer

BYTES, LEVEL, SECONDS = "scalpels_try_bytes_total", "scalpels_try_level", "scalpels_try_seconds"
SIZES, RUNS = "scalpels_try_sizes_bytes", "scalpels_try_runs_total"

HISTOGRAM = """\
scalpels_try_seconds_bucket{who="a",le="0.25"} 1
scalpels_try_seconds_bucket{who="a",le="0.5"} 1
scalpels_try_seconds_bucket{who="a",le="1"} 3.0
scalpels_try_seconds_bucket{le="2.0",who="a"} 3
scalpels_try_seconds_bucket{who="a",le="4"} 4
scalpels_try_seconds_bucket{who="a",le="+Inf"} 6
scalpels_try_seconds_count{who="a"} 6
scalpels_try_seconds_sum{who="a"} 12.5
"""
SIZE = """\
scalpels_try_sizes_bytes_bucket{who="a",le="1.0"} 1
scalpels_try_sizes_bytes_bucket{who="a",le="1e1"} 3
scalpels_try_sizes_bytes_bucket{who="a",le="100"} 3
scalpels_try_sizes_bytes_bucket{who="a",le="+Inf"} 4
scalpels_try_sizes_bytes_sum{who="a"} 1000
"""


def fed(build, text: str, end: str = "# EOF\n"):
    intake = build(form=OpenMetrics(), mode="ticked")
    return intake, intake.feed((text + end).encode())


def test_every_kind_is_read(build) -> None:
    text = (
        "# HELP scalpels_try_bytes Bytes.\n# TYPE scalpels_try_bytes counter\n# UNIT scalpels_try_bytes bytes\n"
        'scalpels_try_bytes_total{who="a",how="read"} 3\n'
        'scalpels_try_bytes_total{how="wr\\"i\\\\te\\n",who="b, }c"}   4.5 \n'
        'scalpels_try_bytes_created{who="a",how="read"} 1.7e9\n\n'
        '# TYPE scalpels_try_level gauge\nscalpels_try_level{ who = "ä" , } -Inf\n'
        "scalpels_try_runs_total 1e+06\n"
    )
    intake, snapshot = fed(build, text + HISTOGRAM + SIZE)
    assert intake.rejected == {}, intake.complaints()
    assert snapshot.families == {
        BYTES: {("a", "read"): 3, ("b, }c", 'wr"i\\te\n'): 4.5},
        LEVEL: {("ä",): float("-inf")},
        SECONDS: {("a",): Counts(12.5, [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 2], -8)},
        SIZES: {("a",): Counts(1000, [1, 2, 0, 1])},
        RUNS: {(): 1e6},
    }


@pytest.mark.parametrize("form", ["text", "openmetrics"])
def test_what_we_render_we_read_back(build, form: str) -> None:
    _, snapshot = fed(build, f'{BYTES}{{who="a",how="read"}} 3\n' + HISTOGRAM + SIZE)
    page = b"".join(Renderer().render([snapshot], CollectorRegistry(), form)).decode()
    intake, again = fed(build, page, "" if form == "openmetrics" else "# EOF\n")
    assert again.families == snapshot.families
    assert intake.rejected == {}


@pytest.mark.parametrize("openmetrics", [False, True])
def test_what_prometheus_client_prints_is_read(build, openmetrics: bool) -> None:
    registry = CollectorRegistry()
    Counter("scalpels_try_bytes", "Bytes.", ("who", "how"), registry=registry).labels("a", 'q"\\\n').inc(5)
    Gauge(LEVEL, "Level.", ("who",), registry=registry).labels("a").set(1e300)
    histogram = Histogram(SIZES, "Sizes.", ("who",), registry=registry, buckets=(1, 10, 100))
    for size in (0.5, 1, 5, 2_000_000):
        histogram.labels("a").observe(size)
    page = generate_openmetrics(registry) if openmetrics else generate_latest(registry)
    intake, snapshot = fed(build, page.decode(), "" if openmetrics else "# EOF\n")
    assert snapshot.families[BYTES] == {("a", 'q"\\\n'): 5}
    assert snapshot.families[LEVEL] == {("a",): 1e300}
    assert snapshot.families[SIZES] == {("a",): Counts(2000006.5, [2, 1, 0, 1])}
    # In text 0.0.4 a _created series has a TYPE of its own, of a name that is nobody's.
    assert intake.rejected == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("scalpels_try_runs_total 1 1700000000\n", "timestamp"),
        ('scalpels_try_level{who="a"} 1 1700000000.5\n', "timestamp"),
        ('scalpels_try_runs_total 1 # {trace="x"} 1\n', "exemplar"),
        ("scalpels_try_runs_total\n", "bad_syntax"),
        ("scalpels_try_runs_total{ 1\n", "bad_syntax"),
        ('scalpels_try_level{who="a} 1\n', "bad_syntax"),
        ('scalpels_try_level{who="a",who="b"} 1\n', "bad_syntax"),
        ('scalpels_try_level{who="a"who="b"} 1\n', "bad_syntax"),
        ("scalpels_try_level{who=a} 1\n", "bad_syntax"),
        ("1 1\n", "bad_syntax"),
        ("# TYPE what\n", "bad_syntax"),
        ("scalpels_try_runs_total one\n", "not_a_number"),
        ("scalpels_try_runs_total 1_0\n", "not_a_number"),
        ("scalpels_try_runs_total 0x10\n", "not_a_number"),
        ("scalpels_try_runs_total NaN\n", "not_a_number"),
        ("scalpels_try_runs_total +Inf\n", "not_a_number"),
        ('scalpels_try_level{who="a"} NaN\n', "not_a_number"),
        ("scalpels_try_runs_total -1\n", "negative_counter"),
        ("scalpels_try_runs 1\n", "undeclared_metric"),
        ("scalpels_try_seconds 1\n", "undeclared_metric"),
        ("scalpels_try_level 1\n", "wrong_labels"),
        ('scalpels_try_level{whom="a"} 1\n', "wrong_labels"),
        ('scalpels_try_level{who="a",how="b"} 1\n', "wrong_labels"),
        ('scalpels_try_seconds_bucket{who="a"} 1\n', "wrong_labels"),
        ('scalpels_try_seconds_bucket{who="a",le="much"} 1\n', "wrong_labels"),
        ('scalpels_try_seconds_sum{who="a",le="1"} 1\n', "wrong_labels"),
        ("# TYPE scalpels_try_runs gauge\n", "wrong_type"),
        ("# TYPE scalpels_try_seconds summary\n", "wrong_type"),
        (f'scalpels_try_level{{who="{"x" * 201}"}} 1\n', "bad_label"),
        ('scalpels_try_bytes_total{who="b",how="read"} 7\n', "duplicate_series"),
        (HISTOGRAM.replace('le="2.0"', 'le="3"'), "bad_histogram"),
        (HISTOGRAM.replace('scalpels_try_seconds_bucket{who="a",le="0.25"} 1\n', ""), "bad_histogram"),
        (HISTOGRAM.replace('scalpels_try_seconds_bucket{who="a",le="+Inf"} 6\n', ""), "bad_histogram"),
        (HISTOGRAM.replace('scalpels_try_seconds_sum{who="a"} 12.5\n', ""), "bad_histogram"),
        (HISTOGRAM.replace('count{who="a"} 6', 'count{who="a"} 7'), "bad_histogram"),
        (HISTOGRAM.replace('"0.5"} 1', '"0.5"} 1.5'), "bad_histogram"),
        (HISTOGRAM.replace('"0.5"} 1', '"0.5"} 9'), "bad_histogram"),
        (HISTOGRAM.replace('"0.5"} 1', '"0.5"} NaN'), "bad_histogram"),
        (HISTOGRAM + 'scalpels_try_seconds_sum{who="a"} 3\n', "duplicate_series"),
        (HISTOGRAM + 'scalpels_try_seconds_count{who="a"} 6\n', "duplicate_series"),
        (HISTOGRAM + 'scalpels_try_seconds_bucket{who="a",le="1.0"} 3\n', "duplicate_series"),
    ],
)
def test_what_is_wrong_costs_itself_alone(build, text: str, reason: str) -> None:
    intake, snapshot = fed(build, 'scalpels_try_bytes_total{who="b",how="read"} 3\n' + text)
    assert reason in intake.rejected, intake.complaints()
    assert snapshot.families[BYTES] == {("b", "read"): 3}
    if text.startswith(HISTOGRAM):
        assert snapshot.families[SECONDS][("a",)].sum == 12.5
    else:
        assert [sum(map(len, snapshot.families.values())), sum(intake.rejected.values())] == [1, 1]


def test_samples_under_a_type_that_is_not_the_declared_one_are_not_taken(build) -> None:
    intake, snapshot = fed(
        build, '# TYPE scalpels_try_runs gauge\nscalpels_try_runs_total 3\nscalpels_try_level{who="a"} 1\n'
    )
    assert snapshot.families[RUNS] == {}
    assert snapshot.families[LEVEL] == {("a",): 1}
    assert intake.feed(b"# TYPE scalpels_try_runs_total counter\nscalpels_try_runs_total 3\n# EOF\n").families[RUNS]


def test_bytes_that_are_no_text_cost_their_line(build) -> None:
    intake = build(form=OpenMetrics(), mode="ticked")
    snapshot = intake.feed(b'scalpels_try_level{who="\xff"} 1\nscalpels_try_runs_total 1\n# EOF\n')
    assert intake.rejected == {"bad_syntax": 1}
    assert snapshot.families[RUNS] == {(): 1}


def test_a_snapshot_is_what_stands_before_its_end(build) -> None:
    intake = build(form=OpenMetrics(), mode="stream")
    assert intake.feed(b"scalpels_try_runs_total 1\n") is None
    assert intake.feed(b"# EOF\nscalpels_try_runs_total 2\n").families[RUNS] == {(): 1}
    intake.restarted()
    assert intake.feed(b"# EOF\n").families[RUNS] == {}
    assert intake.completed == 2


def test_a_histogram_goes_neither_back_nor_across_snapshots(build) -> None:
    intake, before = fed(build, HISTOGRAM)
    after = intake.feed((HISTOGRAM.replace('"4"} 4', '"4"} 5') + "# EOF\n").encode())
    assert intake.rejected == {"counter_backwards": 1}, "an observation above the highest bound is gone"
    assert after.families == before.families


def test_a_snapshot_too_large_is_refused_and_the_next_is_good(build) -> None:
    intake = build(form=OpenMetrics(), mode="ticked", budget=1)
    flood = "".join(f'scalpels_try_level{{who="{n}"}} 1\n' for n in range(1000))
    assert intake.feed((flood + "# EOF\n").encode()) is None
    assert set(intake.rejected) == {"snapshot_too_large"}
    assert intake.feed(b"scalpels_try_runs_total 1\n# EOF\n").families[RUNS] == {(): 1}


def test_in_a_rerun_the_separator_ends_a_page_that_does_not_end_itself(build) -> None:
    intake = build(form=OpenMetrics(), mode="rerun")
    assert intake.feed(b"scalpels_try_runs_total 1\x1e\n").families[RUNS] == {(): 1}
    assert intake.feed(b"scalpels_try_runs_total 2\n# EOF\n\x1e\n").families[RUNS] == {(): 2}
    assert intake.completed == 2
    assert intake.feed(b"scalpels_try_runs_total 3\n# EOF\x1e\n").families[RUNS] == {(): 3}
    assert intake.feed(b"\x1e\n").families[RUNS] == {}, "a run that printed nothing answers its tick, too"
    assert (intake.completed, intake.rejected) == (4, {})
