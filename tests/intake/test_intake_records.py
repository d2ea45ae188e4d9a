"""Formats lines, columns and logfmt: what scripts print becomes counters, gauges and histograms."""

import pytest

from scalpels_exporter.declare import (
    Binding,
    Columns,
    Counter,
    Explicit,
    Exponential,
    Gauge,
    Histogram,
    Lines,
    Logfmt,
)

TOTAL, LEVEL, SECONDS = "scalpels_try_total", "scalpels_try_level", "scalpels_try_seconds"
COUNTER = Counter(TOTAL, "T.", ("unit",))
GAUGE = Gauge(LEVEL, "L.", ("n",))
ONE_LABEL = (Counter(TOTAL, "T.", ("n",)), GAUGE)
PAIR = r"(?P<n>\w+) (?P<value>\S+)"
MODES = ("stream", "ticked", "rerun")


def test_a_script_that_prints_numbers_and_units_is_read_without_a_pattern(build) -> None:
    intake = build(form=Lines(), mode="stream", metrics=(COUNTER,))
    snapshot = intake.feed(b"12.00 pkt/s 3400.00 byte/s\n1.00 pkt/s 5e2 byte/s\n")
    assert snapshot.families[TOTAL] == {("pkt/s",): 13.0, ("byte/s",): 3900.0}
    assert intake.rejected == {}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("7", {("",): 7}),
        ("7 8 9", {("",): 24}),
        ("12ms", {("ms",): 12}),
        ("+1.5 % of .5 CPUs", {("%",): 1.5, ("CPUs",): 0.5}),
        ("eth0 up, v1.2.3 x86_64", None),
        ("load: 3", {("",): 3}),
        ("", None),
    ],
)
def test_every_number_that_stands_alone_is_a_record(build, line: str, expected) -> None:
    snapshot = build(form=Lines(), mode="stream", metrics=(COUNTER,)).feed(line.encode() + b"\n")
    assert (snapshot and snapshot.families[TOTAL]) == expected


def test_a_stream_is_published_once_a_chunk_and_only_when_it_changed(build) -> None:
    intake = build(form=Lines(PAIR), mode="stream", metrics=ONE_LABEL[:1])
    first = intake.feed(b"a 1\nb 2\na 3\nb")
    assert first.families[TOTAL] == {("a",): 4, ("b",): 2}
    assert intake.feed(b" ") is None
    second = intake.feed(b"5\n")
    assert second.families[TOTAL] == {("a",): 4, ("b",): 7}
    assert first.families[TOTAL] == {("a",): 4, ("b",): 2}, "what was given is not written to any more"
    assert intake.completed == 2


def test_in_a_stream_gauges_and_totals_stay_until_they_are_said_anew(build) -> None:
    form = Lines(PAIR, (Binding(TOTAL, counts="totals"), Binding(LEVEL)))
    intake = build(form=form, mode="stream", metrics=ONE_LABEL)
    intake.feed(b"a 5\nb 1\n")
    snapshot = intake.feed(b"a 6\na 7\n")
    assert snapshot.families == {TOTAL: {("a",): 7, ("b",): 1}, LEVEL: {("a",): 7, ("b",): 1}}
    snapshot = intake.feed(b"a 3\n")
    assert snapshot.families == {TOTAL: {("a",): 7, ("b",): 1}, LEVEL: {("a",): 3, ("b",): 1}}
    assert intake.rejected == {"counter_backwards": 1}


def test_in_a_stream_label_sets_past_the_budget_fold_and_their_sum_stays(build) -> None:
    form = Lines(PAIR, (Binding(TOTAL, counts="totals"),))
    intake = build(form=form, mode="stream", metrics=ONE_LABEL[:1], budget=1)
    assert intake.feed(b"a 5\nb 1\nc 1\n").families[TOTAL] == {("a",): 5, ("other",): 2}
    assert intake.feed(b"b 2\nb 3\n").families[TOTAL] == {("a",): 5, ("other",): 4}
    assert (intake.folded, intake.rejected) == (2, {})


def test_a_stream_that_prints_separators_is_read_as_whole_snapshots(build) -> None:
    intake = build(form=Lines(PAIR, (Binding(LEVEL),)), mode="stream", metrics=(GAUGE,))
    intake.feed(b"a 1\nb 1\n\x1e\n")
    assert intake.feed(b"a 2\n") is None
    assert intake.feed(b"\x1e\n").families[LEVEL] == {("a",): 2}


@pytest.mark.parametrize("mode", ["rerun", "ticked"])
def test_a_run_ends_at_the_separator_and_replaces_gauges_and_totals(build, mode: str) -> None:
    metrics = (*ONE_LABEL, Counter("scalpels_try_runs_total", "R.", ("n",)))
    form = Lines(PAIR, (Binding(TOTAL, counts="totals"), Binding(LEVEL), Binding("scalpels_try_runs_total")))
    intake = build(form=form, mode=mode, metrics=metrics)
    assert intake.feed(b"a 1\nb 1\n") is None
    intake.feed(b"\x1e\n")
    snapshot = intake.feed(b"b 2\n\x1e\r\n")
    assert snapshot.families == {
        TOTAL: {("b",): 2},
        LEVEL: {("b",): 2},
        "scalpels_try_runs_total": {("a",): 1, ("b",): 3},
    }
    empty = intake.feed(b"\x1e\n")
    assert [len(family) for family in empty.families.values()] == [0, 0, 2]
    assert (intake.completed, intake.rejected) == (3, {})


def test_the_end_of_a_run_needs_neither_separator_nor_newline(build) -> None:
    intake = build(form=Lines(PAIR), mode="rerun", metrics=ONE_LABEL[:1])
    assert intake.feed(b"a 1\na 2") is None
    assert intake.finish().families[TOTAL] == {("a",): 3}
    assert intake.completed == 1


def test_what_the_agent_counts_survives_the_worker(build) -> None:
    form = Lines(PAIR, (Binding(TOTAL), Binding(LEVEL)))
    intake = build(form=form, mode="stream", metrics=ONE_LABEL)
    intake.feed(b"a 5\nlost half")
    intake.restarted()
    snapshot = intake.feed(b"b 1\n")
    assert snapshot.families == {TOTAL: {("a",): 5, ("b",): 1}, LEVEL: {("b",): 1}}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nothing here", "not_a_number"),
        ("word", "unmatched_line"),
        ("c 1_000", "not_a_number"),
        ("c 0x1", "not_a_number"),
        ("c ٣", "not_a_number"),
        ("c " + "9" * 500, "not_a_number"),
        ("c nan", "not_a_number"),
        ("c -Inf", "not_a_number"),
        ("c -1", "negative_counter"),
        ("x" * 201 + " 1", "bad_label"),
        ("\xff 1", "bad_syntax"),
    ],
)
@pytest.mark.parametrize("counts", ["increments", "totals"])
@pytest.mark.parametrize("mode", MODES)
def test_a_record_that_is_wrong_costs_itself_alone(build, line: str, reason: str, counts: str, mode: str) -> None:
    intake = build(form=Lines(PAIR, (Binding(TOTAL, counts=counts),)), mode=mode, metrics=ONE_LABEL[:1])
    encoded = line.encode("latin-1") if line.startswith("\xff") else line.encode()
    snapshot = intake.feed(b"a 1\n" + encoded + b"\nb 2\n\x1e\n")
    assert intake.rejected == {reason: 1}
    assert snapshot.families[TOTAL] == {("a",): 1, ("b",): 2}


def test_a_pattern_without_the_group_of_a_label_is_refused_and_one_without_the_value_is_not_meant(build) -> None:
    metrics = (Counter(TOTAL, "T.", ("n",)),)
    intake = build(form=Lines(r"(?P<value>\d+)"), mode="stream", metrics=metrics)
    assert intake.feed(b"1\n") is None
    assert intake.rejected == {"wrong_labels": 1}
    assert build(form=Lines(r"(?P<n>\w)(?P<value>\d)?"), mode="stream", metrics=metrics).feed(b"a\n") is None


def test_a_binding_without_a_value_counts_records(build) -> None:
    form = Logfmt((Binding(TOTAL, value="", labels={"n": "level"}),))
    intake = build(form=form, mode="stream", metrics=ONE_LABEL[:1])
    snapshot = intake.feed(b'level=info msg="x"\nlevel=error\nlevel=info\n')
    assert snapshot.families[TOTAL] == {("info",): 2, ("error",): 1}


@pytest.mark.parametrize(
    ("buckets", "first", "filled", "zero"),
    [
        # 1 ms lies below the lowest bound, 7.5 s above the highest; 0.3 in (2**-1.75, 2**-1.5], 0.375 in (…, 2**-1.25].
        (Exponential(-2, 1), -8, {0: 1, 2: 1, 3: 1, 10: 1, 13: 1}, 1),
        (Explicit((0.3, 2.0)), 0, {0: 3, 1: 2, 2: 1}, 0),
    ],
)
def test_the_numbers_of_a_histogram_are_observations(build, buckets, first: int, filled, zero: int) -> None:
    metrics = (Histogram(SECONDS, "S.", unit="seconds", buckets=buckets),)
    form = Lines(r"took (?P<value>\S+) ms", (Binding(SECONDS, scale=0.001),))
    intake = build(form=form, mode="stream", metrics=metrics)
    text = b"took 1 ms\ntook 300 ms, took 375 ms\ntook 1200 ms\ntook 7500 ms\ntook 0 ms\n"
    state = intake.feed(text).families[SECONDS][()]
    assert {n: count for n, count in enumerate(state.counts) if count} == filled
    assert (state.first, state.zero) == (first, zero)
    assert state.sum == pytest.approx(9.376)


def test_logfmt_reads_quotes_escapes_and_words_between(build) -> None:
    metrics = (Gauge(LEVEL, "L.", ("msg",)),)
    intake = build(form=Logfmt((Binding(LEVEL, value="took", scale=0.5),)), mode="ticked", metrics=metrics)
    snapshot = intake.feed(b'now msg="a \\"b\\" \\n=c" took=8 x=\nmsg= took=4\nmsg=plain other="1"\nno pairs\n\n\x1e\n')
    assert snapshot.families[LEVEL] == {('a "b" \n=c',): 4.0, ("",): 2.0}
    assert intake.rejected == {"unmatched_line": 1}


IOSTAT = b"""\
Linux 6.1.0 (host)

Device             r/s     wkB/s   %util
sda               1.00    512.00    0.50
dm-0              2.00      0.00    7.25

Device             r/s     wkB/s   %util
sda               3.00      1.00    1.50

"""
IOSTAT_FORM = Columns(
    header=r"^Device\s",
    bindings=(
        Binding(TOTAL, value="wkB/s", labels={"n": "Device"}, scale=1024),
        Binding(LEVEL, value="%util", labels={"n": "Device"}, scale=0.01),
    ),
)


@pytest.mark.parametrize("mode", ["stream", "ticked"])
def test_each_table_is_a_snapshot(build, mode: str) -> None:
    intake = build(form=IOSTAT_FORM, mode=mode, metrics=ONE_LABEL)
    at = IOSTAT.index(b"\nDevice", 40) + 1
    first = intake.feed(IOSTAT[:at])
    assert first.families == {TOTAL: {("sda",): 524288, ("dm-0",): 0}, LEVEL: {("sda",): 0.005, ("dm-0",): 0.0725}}
    second = intake.feed(IOSTAT[at:])
    assert second.families == {TOTAL: {("sda",): 525312, ("dm-0",): 0}, LEVEL: {("sda",): 0.015}}
    assert (intake.completed, intake.rejected) == (2, {})


def test_in_a_rerun_all_tables_are_one_snapshot(build) -> None:
    intake = build(form=IOSTAT_FORM, mode="rerun", metrics=ONE_LABEL)
    assert intake.feed(IOSTAT.replace(b"sda               3", b"sdb               3")) is None
    assert set(intake.finish().families[LEVEL]) == {("sda",), ("dm-0",), ("sdb",)}
    assert intake.completed == 1


def test_totals_of_a_table_replace_those_of_the_table_before(build) -> None:
    form = Columns(bindings=(Binding(TOTAL, value="BYTES", labels={"n": "PORT"}, counts="totals"),))
    intake = build(form=form, mode="stream", metrics=ONE_LABEL[:1])
    snapshot = intake.feed(b"PORT BYTES\n1 10\n2 20\nPORT BYTES\n1 11\n\n")
    assert snapshot.families[TOTAL] == {("1",): 11}
    assert intake.completed == 2


def test_rows_are_held_to_their_header(build) -> None:
    form = Columns(separator=r"\|", bindings=(Binding(LEVEL, value="used", labels={"n": "name"}),))
    intake = build(form=form, mode="ticked", metrics=(GAUGE,))
    snapshot = intake.feed(b"name | used\na b | 1\nc\nd||2|3\na b|4\n | 5\n\n")
    assert snapshot.families[LEVEL] == {("a b",): 1, ("",): 5}
    assert intake.rejected == {"unmatched_line": 1, "not_a_number": 1, "duplicate_series": 1}


def test_the_last_column_may_hold_blanks(build) -> None:
    form = Columns(bindings=(Binding(LEVEL, value="PID", labels={"n": "COMMAND"}),))
    snapshot = build(form=form, mode="ticked", metrics=(GAUGE,)).feed(b"  PID COMMAND\n    1 /sbin/init splash now\n\n")
    assert snapshot.families[LEVEL] == {("/sbin/init splash now",): 1}


def test_blank_lines_and_tables_without_rows_end_nothing(build) -> None:
    form = Columns(header="^N ", bindings=(Binding(LEVEL, value="V", labels={"n": "N"}),))
    intake = build(form=form, mode="ticked", metrics=(GAUGE,))
    assert intake.feed(b"\n\nbanner\nN V\n\nN V\nN V\n") is None
    assert intake.completed == 0
    assert intake.feed(b"a 1\n\n\n").families[LEVEL] == {("a",): 1}
    assert intake.completed == 1


@pytest.mark.parametrize(("form", "line"), [(Lines(PAIR), "k{} 1\n"), (Logfmt(), "n=k{} value=1\n")])
def test_a_run_that_is_too_large_is_refused_and_the_next_is_good(build, form, line: str) -> None:
    intake = build(form=form, mode="rerun", metrics=(GAUGE,), budget=1)
    assert intake.feed("".join(line.format(n) for n in range(500)).encode() + b"\x1e\n") is None
    assert intake.completed == 1
    assert set(intake.rejected) == {"snapshot_too_large"}
    assert intake.feed(line.format("a").encode() + b"\x1e\n").families[LEVEL] == {("ka",): 1}


def test_a_run_whose_last_line_has_no_newline_loses_nothing(build) -> None:
    intake = build(form=Lines(PAIR), mode="rerun", metrics=ONE_LABEL[:1])
    assert intake.feed(b"a 1\nb 2\x1e\n").families[TOTAL] == {("a",): 1, ("b",): 2}
    form = Columns(bindings=(Binding(LEVEL, value="V", labels={"n": "N"}),))
    assert build(form=form, mode="rerun", metrics=(GAUGE,)).feed(b"N V\na 1\x1e\n").families[LEVEL] == {("a",): 1}
