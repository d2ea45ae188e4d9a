"""Format log2: what bcc's and bpftrace's tools really printed (see recorded/), and the edges by hand."""

import pytest

from scalpels_exporter.declare import Binding, Explicit, Exponential, Histogram, Log2

NAME = "scalpels_try_seconds"
POWERS = Explicit(tuple(float(2**n) for n in range(24)))


@pytest.fixture
def reader(build):
    def reader(mode="rerun", labels=("who",), buckets=POWERS, scale=1.0, counts="increments"):
        metrics = (Histogram(NAME, "S.", labels, "seconds", buckets=buckets),)
        form = Log2((Binding(NAME, labels=dict.fromkeys(labels, "section"), scale=scale, counts=counts),))
        return build(form=form, mode=mode, metrics=metrics)

    return reader


def rows(state) -> dict[float, int]:
    """Upper bound → observations, without the empty ones."""
    return {bound: count for bound, count in zip(POWERS.upper, state.counts, strict=False) if count}


def test_bcc_intervals_add_up(reader, recorded) -> None:
    intake = reader(labels=())
    intake.feed(recorded("bcc_runqlat.txt"))
    state = intake.finish().families[NAME][()]
    assert rows(state)[4] == 115 + 56
    assert rows(state)[2] == 1
    assert rows(state)[2097152] == 1
    assert sum(state.counts) == 371 - 2 + 413 - 1
    assert intake.rejected == {}


def test_a_histogram_of_a_stream_is_taken_when_the_next_line_shows_that_it_is_whole(reader, recorded) -> None:
    text = recorded("bcc_runqlat.txt")
    second = text.index(b"     usecs", 60)
    intake = reader(mode="stream", labels=())
    assert intake.feed(text[:second]) is None
    first = intake.feed(text[second:])
    assert sum(first.families[NAME][()].counts) == 369
    assert sum(intake.feed(b"\x1e\n").families[NAME][()].counts) == 781


def test_a_total_of_bcc_is_the_exact_sum(reader, recorded) -> None:
    intake = reader()
    intake.feed(recorded("bcc_funclatency.txt"))
    families = intake.finish().families[NAME]
    assert set(families) == {("__read [11883]",)}
    (state,) = families.values()
    assert rows(state) == {16: 168, 32: 500, 64: 95, 128: 5}
    # bcc read 404 observations into its total and 384 into its buckets: the mean is kept, 8560 / 404 each.
    assert state.sum == pytest.approx(8560 / 404 * 384 + 9240)


def test_sections_of_bcc_are_label_values(reader, recorded) -> None:
    intake = reader(buckets=Exponential(0, 13))
    intake.feed(recorded("bcc_bitesize.txt"))
    families = intake.finish().families[NAME]
    assert {key[0]: sum(state.counts) for key, state in families.items()} == {
        "kworker/u8:2": 254,
        "kworker/1:1H": 314,
        "mv": 5,
    }
    assert families[("mv",)].counts[4 * 3] == 3, "4 -> 7 ends at 8"
    assert families[("mv",)].sum == 6 * 3 + 12 * 1 + 24 * 1


def test_bpftrace_prints_the_sections_in_brackets(reader, recorded) -> None:
    intake = reader(mode="stream")
    snapshot = intake.feed(recorded("bpftrace_interval.txt") + b"\x1e\n")
    (state,) = snapshot.families[NAME].values()
    assert set(snapshot.families[NAME]) == {("python",)}
    assert rows(state)[8] == 509 + 180 + 1558
    assert rows(state)[1024] == 1 + 2 + 1
    assert rows(state)[131072] == 1


def test_bpftrace_zeros_negatives_and_single_values(reader, recorded) -> None:
    intake = reader(buckets=Exponential(0, 20))
    intake.feed(recorded("bpftrace_end.txt"))
    families = intake.finish().families[NAME]
    assert set(families) == {("",)}
    # Both maps have no key, so that they are one series: @ret and @usecs.
    state = families[("",)]
    assert state.zero == 38 + 324
    assert state.counts[4 * 1] == 946 + 5, "[1] ends at 2"
    assert state.counts[4 * 18] == 2, "[128K, 256K)"


@pytest.mark.parametrize(
    ("text", "expected", "total"),
    [
        ("@:\n[1M, 2M)   3 |@@|\n", {2097152: 3}, 4718592),
        ("@:\n[4, 8)   3 |@@|\n[8, ...)   1 |@|\n", {8: 4}, 26),
        ("@x[a]:\n[0]   3 |@@|\n", {1: 3}, 0),
        (" usecs : count     distribution\n 0 -> 1 : 5 |**|\n\navg = 0 usecs, total: 4 usecs, count: 5\n", {2: 5}, 4),
        ("[4, 8)   3 |@@|\n", {}, 0),
        ("@:\n[4, 8)   3\n", {}, 0),
        ("@count: 17\n", {}, 0),
    ],
)
def test_rows_by_hand(reader, text: str, expected: dict[float, int], total: float) -> None:
    intake = reader(labels=())
    intake.feed(text.encode())
    snapshot = intake.finish()
    if not expected:
        assert snapshot is None  # nothing was printed
        return
    state = snapshot.families[NAME][()]
    assert rows(state) == expected
    assert state.sum == total


def test_a_total_of_several_histograms_is_nobodys(reader) -> None:
    one = (
        "disk = b'{}'\n     usecs               : count     distribution\n         4 -> 7          : 2        |**|\n\n"
    )
    intake = reader()
    intake.feed((one.format("sda") + one.format("sdb") + "avg = 5 usecs, total: 20 usecs, count: 4\n").encode())
    assert {key[0]: state.sum for key, state in intake.finish().families[NAME].items()} == {"sda": 12, "sdb": 12}


def test_totals_replace_and_may_not_fall(reader) -> None:
    intake = reader(mode="stream", counts="totals", labels=(), scale=0.5)
    page = "@:\n[4, 8)   {} |@@|\n\n"
    for count, expected in ((3, 3), (5, 5), (4, 5)):
        snapshot = intake.feed((page.format(count) + "end of page\n").encode())
        assert rows(snapshot.families[NAME][()]) == {4: expected} if snapshot else expected == 5
    assert intake.rejected == {"counter_backwards": 1}


def test_a_new_worker_does_not_finish_what_the_old_one_began(reader) -> None:
    intake = reader(mode="stream", labels=())
    intake.feed(b"@:\n[4, 8)   3 |@@|\n")
    intake.restarted()
    assert intake.feed(b"[8, 16)   3 |@@|\nbanner\n") is None
