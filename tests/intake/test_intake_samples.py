"""Format samples: what is taken, what is refused and why, one line at a time and in bulk."""

import gc

import pytest

from scalpels_exporter.declare import Counts

BYTES, LEVEL, SECONDS = "scalpels_try_bytes_total", "scalpels_try_level", "scalpels_try_seconds"
SIZES, RUNS = "scalpels_try_sizes_bytes", "scalpels_try_runs_total"
GOOD = [BYTES, ["a", "read"], 1]


def histogram(counts, total=1.0, **more):
    return [SECONDS, ["a"], {"sum": total, "counts": counts, **more}]


def test_a_snapshot_holds_every_sample_and_what_its_end_says(build, wire) -> None:
    intake = build()
    snapshot = intake.feed(
        wire(
            GOOD,
            [BYTES, ["a", "write"], 2.5],
            [LEVEL, ["a"], -3],
            [SECONDS, ["a"], {"sum": 1.25, "first": -4, "counts": [3, 0, 7], "zero": 2}],
            [RUNS, [], 7],
            lost={"map_full": 3},
            probe_seconds=0.5,
            probe_runs=12,
        )
    )
    assert snapshot.families == {
        BYTES: {("a", "read"): 1, ("a", "write"): 2.5},
        LEVEL: {("a",): -3},
        SECONDS: {("a",): Counts(1.25, (3, 0, 7), -4, 2)},
        SIZES: {},
        RUNS: {(): 7},
    }
    assert (snapshot.lost, snapshot.probe_seconds, snapshot.probe_runs) == ({"map_full": 3}, 0.5, 12)
    assert snapshot.taken == 1_700_000_000.0
    assert (intake.completed, intake.rejected, intake.complaints()) == (1, {}, [])


def test_a_snapshot_arrives_in_chunks_of_any_size(build, wire) -> None:
    whole = wire(GOOD, histogram([1, 2])) * 3
    expected = build().feed(whole)
    for size in (1, 2, 3, 7, 50, 1000):
        intake = build()
        found = [intake.feed(whole[at : at + size]) for at in range(0, len(whole), size)]
        assert [s for s in found if s][-1].families == expected.families
        assert (intake.completed, intake.rejected) == (3, {})


def test_the_last_good_snapshot_of_a_chunk_is_given(build, wire) -> None:
    snapshot = build().feed(wire(GOOD) + wire([BYTES, ["a", "read"], 5]))
    assert snapshot.families[BYTES] == {("a", "read"): 5}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("what is this", "bad_syntax"),
        ("{", "bad_syntax"),
        ("3", "bad_syntax"),
        ('"abc"', "bad_syntax"),
        ("[]", "bad_syntax"),
        ('["scalpels_try_level",["a"]]', "bad_syntax"),
        ('["scalpels_try_level",["a"],1,2]', "bad_syntax"),
        ('[["scalpels_try_level"],["a"],1]', "bad_syntax"),
        ('{"end":false}', "bad_syntax"),
        ('{"a":1,"b":2,"c":3}', "bad_syntax"),
        ("[" * 3000, "bad_syntax"),
        ("\xff", "bad_syntax"),
        ('["scalpels_try_levels",["a"],1]', "undeclared_metric"),
        ('["scalpels_try_level","a",1]', "wrong_labels"),
        ('["scalpels_try_level",{"who":"a"},1]', "wrong_labels"),
        ('["scalpels_try_level",[],1]', "wrong_labels"),
        ('["scalpels_try_level",["a","b"],1]', "wrong_labels"),
        ('["scalpels_try_level",[1],1]', "wrong_labels"),
        ('["scalpels_try_level",[null],1]', "wrong_labels"),
        ('["scalpels_try_level",[["a"]],1]', "wrong_labels"),
        ('["scalpels_try_runs_total",[{}],1]', "wrong_labels"),
        ('["scalpels_try_seconds",[{}],{"sum":1,"counts":[1]}]', "wrong_labels"),
        (f'["scalpels_try_level",["{"x" * 201}"],1]', "bad_label"),
        ('["scalpels_try_level",["\\ud800"],1]', "bad_syntax"),
        ('["scalpels_try_level",["a"],"1"]', "not_a_number"),
        ('["scalpels_try_level",["a"],null]', "not_a_number"),
        ('["scalpels_try_level",["a"],true]', "not_a_number"),
        ('["scalpels_try_level",["a"],NaN]', "not_a_number"),
        ('["scalpels_try_level",["a"],[1]]', "not_a_number"),
        ('["scalpels_try_level",["a"],{"sum":1,"counts":[1]}]', "not_a_number"),
        ('["scalpels_try_runs_total",[],true]', "not_a_number"),
        ('["scalpels_try_runs_total",[],NaN]', "not_a_number"),
        ('["scalpels_try_runs_total",[],Infinity]', "not_a_number"),
        ('["scalpels_try_runs_total",[],"7"]', "not_a_number"),
        ('["scalpels_try_runs_total",[],{"sum":1,"counts":[1]}]', "not_a_number"),
        ('["scalpels_try_runs_total",[],-1]', "negative_counter"),
        ('["scalpels_try_seconds",["a"],3]', "bad_histogram"),
        ('["scalpels_try_seconds",["a"],{}]', "bad_histogram"),
        ('["scalpels_try_seconds",["a"],{"sum":1}]', "bad_histogram"),
        ('["scalpels_try_seconds",["a"],{"counts":[1]}]', "bad_histogram"),
        ('["scalpels_try_seconds",["a"],{"sum":"1","counts":[1]}]', "bad_histogram"),
        ('["scalpels_try_seconds",["a"],{"sum":true,"counts":[1]}]', "bad_histogram"),
        ('["scalpels_try_seconds",["a"],{"sum":1,"counts":{"1":1}}]', "bad_histogram"),
        ('["scalpels_try_seconds",["a"],{"sum":1,"counts":[1.5]}]', "bad_histogram"),
        ('["scalpels_try_seconds",["a"],{"sum":1,"counts":[1.0]}]', "bad_histogram"),
        ('["scalpels_try_seconds",["a"],{"sum":1,"counts":["1"]}]', "bad_histogram"),
        ('["scalpels_try_seconds",["a"],{"sum":1,"counts":[1,true]}]', "bad_histogram"),
        ('["scalpels_try_seconds",["a"],{"sum":1,"counts":[1],"first":0.5}]', "bad_histogram"),
        ('["scalpels_try_seconds",["a"],{"sum":1,"counts":[1],"first":6000}]', "bad_histogram"),
        ('["scalpels_try_seconds",["a"],{"sum":1,"counts":[1],"zero":"0"}]', "bad_histogram"),
        (f'["scalpels_try_seconds",["a"],{{"sum":1,"counts":[{"0," * 600}1]}}]', "bad_histogram"),
        ('["scalpels_try_sizes_bytes",["a"],{"sum":1,"counts":[1,2,3,4,5]}]', "bad_histogram"),
        ('["scalpels_try_sizes_bytes",["a"],{"sum":1,"counts":[1],"first":-1}]', "bad_histogram"),
        ('["scalpels_try_seconds",["a"],{"sum":1,"counts":[1,-1]}]', "negative_counter"),
        ('["scalpels_try_seconds",["a"],{"sum":1,"counts":[1],"zero":-1}]', "negative_counter"),
        ('["scalpels_try_seconds",["a"],{"sum":-1,"counts":[1]}]', "negative_counter"),
        ('["scalpels_try_bytes_total",["a","read"],9]', "duplicate_series"),
    ],
)
def test_a_line_against_the_contract_costs_itself_alone(build, wire, line: str, reason: str) -> None:
    intake = build()
    snapshot = intake.feed(wire(GOOD, end=False) + line.encode("latin-1") + b"\n" + wire([RUNS, [], 3]))
    assert intake.rejected == {reason: 1}
    assert snapshot.families == {BYTES: {("a", "read"): 1}, LEVEL: {}, SECONDS: {}, SIZES: {}, RUNS: {(): 3}} or (
        '"scalpels_try_runs_total",[]' in line and snapshot.families[BYTES] == {("a", "read"): 1}
    )
    complaint = intake.complaints()
    assert len(complaint) == 1
    assert complaint[0].startswith(f"{reason}: ")
    assert len(complaint[0]) < 400
    assert "\n" not in complaint[0]


def test_lines_that_make_json_only_together_are_refused(build, wire) -> None:
    intake = build()
    snapshot = intake.feed(b'["scalpels_try_runs_total"\n[],5]\n' + wire(GOOD))
    assert snapshot.families[RUNS] == {}
    assert intake.rejected == {"bad_syntax": 2}


def test_blank_lines_and_carriage_returns_are_passed_over(build, wire) -> None:
    intake = build()
    snapshot = intake.feed(b"\n  \n" + wire(GOOD).replace(b"\n", b"\r\n") + b"\n")
    assert snapshot.families[BYTES] == {("a", "read"): 1}
    assert intake.rejected == {}


def test_gauges_may_be_infinite_and_negative(build) -> None:
    intake = build()
    snapshot = intake.feed(b'["scalpels_try_level",["a"],-Infinity]\n["scalpels_try_level",["b"],-2]\n{"end":true}\n')
    assert snapshot.families[LEVEL] == {("a",): float("-inf"), ("b",): -2}
    assert intake.rejected == {}


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ([RUNS, [], 10], [RUNS, [], 9], "counter_backwards"),
        ([RUNS, [], 10], [RUNS, [], -1], "negative_counter"),
        ([RUNS, [], 10], [RUNS, [], "x"], "not_a_number"),
        (histogram([5, 5]), histogram([5, 4]), "counter_backwards"),
        (histogram([5, 5]), histogram([5]), "counter_backwards"),
        (histogram([5, 5]), histogram([5, 5], first=1), "counter_backwards"),
        (histogram([5, 5]), histogram([5, 5], first=-1), "counter_backwards"),
        (histogram([5], zero=2), histogram([5], zero=1), "counter_backwards"),
        (histogram([5], 2.0), histogram([6], 1.5), "counter_backwards"),
        (histogram([5]), histogram([5, -1]), "negative_counter"),
        (histogram([5]), histogram([5.5]), "bad_histogram"),
    ],
)
def test_a_cumulative_series_stays_at_its_last_good_value(build, wire, first, second, reason: str) -> None:
    intake = build()
    before = intake.feed(wire(first, GOOD))
    after = intake.feed(wire(second, GOOD))
    assert intake.rejected == {reason: 1}
    assert after.families == before.families


def test_a_gauge_that_is_refused_is_left_out(build, wire) -> None:
    intake = build()
    intake.feed(wire([LEVEL, ["a"], 1], GOOD))
    assert intake.feed(wire([LEVEL, ["a"], "?"], GOOD)).families[LEVEL] == {}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (histogram([5, 5]), histogram([5, 5, 1])),
        (histogram([5, 5]), histogram([0, 5, 5], first=-1)),
        (histogram([0, 5, 0]), histogram([5], first=1)),
        (histogram([]), histogram([1], first=-200)),
        (histogram([1], -5.0, zero=3), histogram([1], -6.0, zero=4)),
        ([SIZES, ["a"], {"sum": 1, "counts": [1]}], [SIZES, ["a"], {"sum": 3, "counts": [1], "first": 0, "zero": 1}]),
    ],
)
def test_a_histogram_may_change_its_range_and_grow(build, wire, first, second) -> None:
    intake = build()
    intake.feed(wire(first))
    value = second[2]
    counts = Counts(value["sum"], tuple(value["counts"]), value.get("first", 0), value.get("zero", 0))
    assert intake.feed(wire(second)).families[second[0]] == {("a",): counts}
    assert intake.rejected == {}


def test_a_snapshot_of_which_nothing_could_be_taken_is_not_good_but_completed(build, wire) -> None:
    intake = build()
    assert intake.feed(wire(["nobody_knows_me", [], 1])) is None
    assert intake.completed == 1
    assert intake.feed(wire()) is not None, "a state without series is a state"


def test_an_end_that_says_nonsense_still_ends(build, wire) -> None:
    for more in ({"lost": 3}, {"lost": {"x": -1}}, {"probe_seconds": "1"}, {"probe_runs": -1}, {"lost": {"x": True}}):
        intake = build()
        snapshot = intake.feed(wire(GOOD, **more))
        assert (snapshot.lost, snapshot.probe_seconds, snapshot.probe_runs) == ({}, 0.0, 0)
        assert intake.rejected == {"bad_syntax": 1}


def test_a_reason_is_told_once_and_counted_always(build, wire) -> None:
    intake = build()
    for number in range(3):
        intake.feed(wire(GOOD, [f"unknown_{number}", [], 1]))
    assert intake.rejected == {"undeclared_metric": 3}
    assert intake.complaints() == ["undeclared_metric: not among the tracer's metrics: 'unknown_0'"]
    assert intake.complaints() == []


def test_a_new_worker_begins_from_zero_and_without_leftovers(build, wire) -> None:
    intake = build()
    intake.feed(wire([RUNS, [], 10]))
    intake.feed(wire([LEVEL, ["half"], 1], end=False) + b'["scalpels_try_le')
    intake.restarted()
    snapshot = intake.feed(wire([RUNS, [], 1]))
    assert snapshot.families[RUNS] == {(): 1}
    assert snapshot.families[LEVEL] == {}
    assert intake.rejected == {}


def test_the_end_of_a_run_without_the_end_object_is_no_snapshot(build, wire) -> None:
    intake = build(mode="rerun")
    assert intake.feed(wire(GOOD, end=False)) is None
    assert intake.finish() is None
    assert (intake.completed, intake.rejected) == (1, {"unfinished_snapshot": 1})
    assert intake.feed(wire(GOOD)).families[BYTES] == {("a", "read"): 1}
    assert intake.finish() is None
    assert intake.completed == 2


def test_the_cycle_collector_is_left_as_it_was(build, wire) -> None:
    build().feed(wire(GOOD))
    assert gc.isenabled()
    gc.disable()
    try:
        build().feed(wire(GOOD))
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_the_separator_after_an_end_says_nothing_new_and_without_one_gives_the_run_up(build, wire) -> None:
    intake = build(mode="rerun")
    assert intake.feed(wire(GOOD) + b"\x1e\n").families[BYTES] == {("a", "read"): 1}
    assert (intake.completed, intake.rejected) == (1, {})
    for run in ([wire(GOOD, end=False) + b"\x1e\n"], [wire(GOOD, end=False), b"\x1e\n"]):
        assert [intake.feed(chunk) for chunk in run] == [None] * len(run)
    assert (intake.completed, intake.rejected) == (3, {"unfinished_snapshot": 2})
    assert intake.feed(wire(GOOD) + b"\x1e\n").families[BYTES] == {("a", "read"): 1}
