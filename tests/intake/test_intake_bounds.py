"""The bounds: lines, snapshots, label sets. Whatever a worker prints, memory and time stay small."""

import time
import tracemalloc

import pytest

from scalpels_exporter.declare import Counter, Gauge, Histogram, Lines
from scalpels_exporter.intake.budget import EXCESS
from scalpels_exporter.intake.framing import LINE_BYTES, Framing
from scalpels_exporter.intake.rejection import Rejections

TOTAL, LEVEL, SECONDS = "scalpels_try_total", "scalpels_try_level", "scalpels_try_seconds"
METRICS = (Counter(TOTAL, "T.", ("n",)), Gauge(LEVEL, "L.", ("n",)), Histogram(SECONDS, "S.", ("n",), "seconds"))
OTHER = ("other",)


def totals(*pairs: tuple[str, float]) -> list[list[object]]:
    return [[TOTAL, [name], value] for name, value in pairs]


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_framing_gives_whole_lines_whatever_the_chunks(size: int) -> None:
    text = b"\n".join(b"x" * (n % 40) for n in range(300)) + b"\nrest"
    framing = Framing(Rejections())
    blocks = [framing.cut(text[at : at + size]) for at in range(0, len(text), size)]
    assert all(block.endswith(b"\n") for block in blocks if block)
    assert b"".join(blocks) + b"rest\n" == text + b"\n" == b"".join([*blocks, framing.rest()])
    assert framing.rest() == b""


def test_a_line_without_an_end_is_discarded_up_to_the_next_newline(build, wire) -> None:
    intake = build(metrics=METRICS)
    intake.feed(wire(*totals(("a", 1)), end=False))
    tracemalloc.start()
    for _ in range(200):
        intake.feed(b"y" * (256 << 10))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 2 * LINE_BYTES
    snapshot = intake.feed(b"still the same line\n" + wire(*totals(("b", 2))))
    assert snapshot.families[TOTAL] == {("a",): 1, ("b",): 2}
    assert intake.rejected == {"line_too_long": 1}


def test_the_longest_line_is_taken_and_one_byte_more_is_not() -> None:
    for more, refused in ((0, {}), (1, {"line_too_long": 1})):
        rejections = Rejections()
        framing = Framing(rejections)
        line = b"z" * (LINE_BYTES + more) + b"\n"
        blocks = [framing.cut(line[at : at + 65536]) for at in range(0, len(line), 65536)]
        assert rejections.counts == refused
        assert b"".join(blocks) == (b"" if more else line)


def test_label_sets_past_the_budget_fold_into_other(build, wire) -> None:
    intake = build(metrics=METRICS, budget=3)
    snapshot = intake.feed(wire(*totals(("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5))))
    assert snapshot.families[TOTAL] == {("a",): 1, ("b",): 2, ("c",): 3, OTHER: 9}
    assert intake.folded == 2
    again = intake.feed(wire(*totals(("a", 1), ("b", 2), ("c", 3), ("d", 6), ("e", 5), ("f", 1))))
    assert again.families[TOTAL][OTHER] == 12
    assert (intake.folded, intake.rejected) == (3, {})


def test_a_folded_counter_never_goes_back_when_a_member_vanishes_or_falls(build, wire) -> None:
    intake = build(metrics=METRICS, budget=1)
    seen = []
    for members in ([("d", 4), ("e", 5)], [("e", 6)], [("d", 4), ("e", 7)], [("d", 1), ("e", 7)], []):
        snapshot = intake.feed(wire(*totals(("a", 1), *members)))
        seen.append(snapshot.families[TOTAL][OTHER])
    assert seen == [9, 10, 11, 11, 11]
    assert intake.rejected == {"counter_backwards": 1}


def test_folded_gauges_are_those_that_are_there(build, wire) -> None:
    intake = build(metrics=METRICS, budget=1)
    for members, expected in (({"d": 4, "e": 5}, 9), ({"e": 1}, 1)):
        snapshot = intake.feed(wire([LEVEL, ["a"], 1], *[[LEVEL, [n], v] for n, v in members.items()]))
        assert snapshot.families[LEVEL] == {("a",): 1, OTHER: expected}
    assert intake.feed(wire([LEVEL, ["a"], 1])).families[LEVEL] == {("a",): 1}


def test_folded_histograms_are_one_histogram(build, wire) -> None:
    def sample(name, total, first, counts):
        return [SECONDS, [name], {"sum": total, "first": first, "counts": counts, "zero": 1}]

    intake = build(metrics=METRICS, budget=1)
    samples = [
        sample("a", 1, 0, [1]),
        sample("b", 1, 0, [1, 2]),
        sample("c", 2, 0, [3, 4]),
        sample("d", 3, -2, [7]),
        sample("e", 0.5, 5, []),
        sample("f", 4, 1, [1, 1, 1]),
    ]
    folded = intake.feed(wire(*samples)).families[SECONDS][OTHER]
    assert (folded.sum, folded.first, folded.counts, folded.zero) == (10.5, -2, [7, 0, 4, 7, 1, 1], 5)
    shrunk = intake.feed(wire(*samples[:2])).families[SECONDS][OTHER]
    assert shrunk == folded


def test_a_worker_may_have_an_other_of_its_own(build, wire) -> None:
    intake = build(metrics=METRICS, budget=2)
    first = intake.feed(wire(*totals(("other", 10), ("a", 1), ("b", 2))))
    assert first.families[TOTAL] == {OTHER: 12, ("a",): 1}
    second = intake.feed(wire(*totals(("a", 1), ("b", 3))))
    assert second.families[TOTAL][OTHER] == 13
    assert intake.rejected == {}


def test_the_place_of_a_series_that_vanished_is_free_again(build, wire) -> None:
    intake = build(metrics=METRICS, budget=2)
    intake.feed(wire(*totals(("a", 1), ("b", 1))))
    intake.feed(wire(*totals(("a", 1))))
    assert intake.feed(wire(*totals(("a", 1), ("c", 1)))).families[TOTAL] == {("a",): 1, ("c",): 1}
    assert intake.folded == 0


def test_the_budget_is_the_tracers_and_not_each_metrics(build, wire) -> None:
    intake = build(metrics=METRICS, budget=2)
    snapshot = intake.feed(wire(*totals(("a", 1), ("b", 1)), [LEVEL, ["a"], 5]))
    assert snapshot.families[LEVEL] == {OTHER: 5}


def test_a_series_without_labels_cannot_be_folded(build, wire) -> None:
    intake = build(metrics=(Counter(TOTAL, "T."), Gauge(LEVEL, "L.", ("n",))), budget=1)
    snapshot = intake.feed(wire([LEVEL, ["a"], 1], [TOTAL, [], 5]))
    assert snapshot.families == {TOTAL: {(): 5}, LEVEL: {("a",): 1}}


def test_a_refused_sample_takes_no_place(build, wire) -> None:
    intake = build(metrics=METRICS, budget=1)
    assert intake.feed(wire([TOTAL, ["x"], -1], *totals(("a", 1)))).families[TOTAL] == {("a",): 1}


def test_ever_new_label_sets_leave_bounded_memory_and_a_sum_that_never_falls(build, wire) -> None:
    budget = 10
    intake = build(metrics=METRICS, budget=budget)
    last = 0
    for tick in range(60):
        fresh = totals(*((f"{tick}-{n}", 1) for n in range(EXCESS * budget // 2)))
        now = intake.feed(wire(*totals(*((f"kept-{n}", 1) for n in range(budget))), *fresh)).families[TOTAL][OTHER]
        assert now >= last
        last = now
    assert last == 60 * EXCESS * budget // 2, "each of them was counted once"
    assert intake.folded == last
    assert len(intake._ledger.checks[TOTAL]._fold.members) <= 2 * EXCESS * budget


def test_a_snapshot_that_is_too_large_is_refused_once_and_the_next_one_is_good(build, wire) -> None:
    budget = 10
    intake = build(metrics=METRICS, budget=budget)
    before = intake.feed(wire(*totals(("a", 1))))
    flood = wire(*totals(*((str(n), n) for n in range(EXCESS * budget + 1))), end=False)
    assert intake.feed(flood) is None
    assert intake.feed(wire(*totals(("a", 5)), end=False) * 1000) is None
    assert intake.completed == 1
    assert intake.feed(wire(*totals(("a", 2)))) is None
    assert (intake.completed, intake.rejected) == (2, {"snapshot_too_large": 1})
    after = intake.feed(wire(*totals(("a", 3))))
    assert after.families[TOTAL] == {("a",): 3}
    assert before is not None


def test_the_end_of_a_flood_is_found_wherever_a_chunk_cuts_it(build, wire) -> None:
    for more in ({}, {"lost": {"x": 1}}):
        tail = wire(*totals(("a", 1)), **more) + wire(*totals(("a", 2)))
        for cut in range(len(tail)):
            intake = build(metrics=METRICS, budget=1)
            intake.feed(wire(*totals(*((str(n), n) for n in range(2 * EXCESS))), end=False))
            good = [intake.feed(part) for part in (tail[:cut], tail[cut:])]
            assert [s.families[TOTAL] for s in good if s] == [{("a",): 2}]
            assert intake.completed == 2


def test_many_small_snapshots_in_one_chunk_are_no_flood(build, wire) -> None:
    intake = build(metrics=METRICS, budget=1)
    snapshot = intake.feed(b"".join(wire(*totals(("a", n))) for n in range(1000)))
    assert snapshot.families[TOTAL] == {("a",): 999}
    assert (intake.completed, intake.rejected) == (1000, {})


def test_a_million_series_are_survived_in_bounded_memory_and_time(build, wire) -> None:
    intake = build(metrics=METRICS, budget=2000)
    tracemalloc.start()
    begin = time.process_time()
    for thousand in range(1000):
        chunk = b"".join(b'["%b",["%d-%d"],1]\n' % (TOTAL.encode(), thousand, n) for n in range(1000))
        intake.feed(chunk)
    assert intake.feed(b'{"end":true}\n') is None
    spent = time.process_time() - begin
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert intake.rejected == {"snapshot_too_large": 1}
    assert peak < 64 << 20
    assert spent < 20, "with tracing on; about a second without"


@pytest.mark.parametrize("mode", ["stream", "rerun"])
def test_increments_past_the_budget_count_for_other_and_stay_there(build, mode: str) -> None:
    intake = build(form=Lines(pattern=r"(?P<n>\w+) (?P<value>\d+)"), mode=mode, metrics=METRICS[:1], budget=2)
    snapshot = intake.feed(b"a 1\nb 1\nc 1\nd 1\nc 1\n\x1e\n")
    assert snapshot.families[TOTAL] == {("a",): 1, ("b",): 1, OTHER: 3}
    assert intake.folded == 2
    intake.restarted()
    assert intake.feed(b"c 1\n\x1e\n").families[TOTAL][OTHER] == 4
