"""One table of what several programs time together, for tracers that declare their ends."""

from __future__ import annotations

import pytest
from cli_process import Paper

from scalpels_exporter.catalog import builtin_folder, load
from scalpels_exporter.cli.drawing import draw
from scalpels_exporter.cli.seen import Span
from scalpels_exporter.declare import Counter, Counts, Ends, Generator, Histogram, Tracer
from scalpels_exporter.intake.buckets import Buckets
from scalpels_exporter.intake.snapshot import Snapshot
from scalpels_exporter.soundness import problems

BY = ("program", "method")
CLIENT = Histogram("scalpels_calls_client_seconds", "Times.", BY, "seconds")
SERVER = Histogram("scalpels_calls_server_seconds", "Times.", BY, "seconds")
QUEUE = Histogram("scalpels_calls_queue_seconds", "Times.", (*BY, "leg"), "seconds")
FAILED = Counter("scalpels_calls_failed_total", "Failures.", ("program", "side", "method", "exception"))
LATE = Counter("scalpels_calls_late_total", "Late.", ("program", "side", "method"))
SENT = Counter("scalpels_calls_sent_total", "Sent.", ("program",))
METRICS = (CLIENT, SERVER, QUEUE, FAILED, LATE, SENT)
TIMES = {"client": CLIENT.name, "server": SERVER.name, "queue": QUEUE.name}
ENDS = Ends("method", TIMES, FAILED.name, {"late": LATE.name})


def times(value: float, count: int) -> Counts:
    made = Buckets(CLIENT.buckets)
    made.observe(value, count)
    made.add_sum(value * count)
    return made.state()


def tracer(ends: Ends) -> Tracer:
    return Tracer("calls", "Calls.", METRICS, Generator(), summary=ends)


@pytest.fixture
def span() -> Span:
    made = Span(tracer(ENDS), started=0.0)
    for step in range(2):
        families = {
            CLIENT.name: {
                ("nova", "build"): times(2.0, 10 * step),
                ("nova", "ping"): times(0.001, 500 * step),
                ("cinder", "ping"): times(0.01, 70 * step),
                ("idle", "rest"): times(1.0, 5),
            },
            SERVER.name: {("compute", "build"): times(1.9, 10 * step), ("compute", "ping"): times(0.001, 570 * step)},
            QUEUE.name: {("rabbitmq", "ping", "request"): times(0.002, 570 * step)},
            FAILED.name: {
                ("nova", "client", "build", "NoValidHost"): 3 * step,
                ("nova", "client", "build", "ValueError"): 1 * step,
            },
            LATE.name: {("nova", "client", "lonely"): 2 * step, ("nova", "client", "ping"): 0},
            SENT.name: {("nova",): 40 * step},
        }
        made.add(Snapshot(tracer(ENDS), families, 10.0 * step))
    return made


def rows(span: Span, width: int = 140, top: int = 10) -> list[list[str]]:
    sheet = Paper(width)
    draw(span, sheet.screen, top=top)
    return [line.split() for line in sheet.text.splitlines()[1:] if line.strip()]


def test_the_ends_of_a_method_stand_below_one_another_worst_method_first(span: Span) -> None:
    head, *lines = rows(span)
    assert head == ["method", "end", "program", "COUNT", "RATE", "P50", "P99", "SUM", "LATE", "ERRORS"]
    assert [line[:5] for line in lines[:7]] == [
        ["lonely", "client", "nova", "0", "2"],  # nobody answered, so nothing was timed
        ["build", "client", "nova", "10", "1/s"],
        ["build", "server", "compute", "10", "1/s"],
        ["ping", "client", "cinder", "70", "7/s"],  # the slowest of an end first
        ["ping", "client", "nova", "500", "50/s"],
        ["ping", "server", "compute", "570", "57/s"],
        ["ping", "queue", "request", "rabbitmq", "570"],
    ]


def test_what_failed_is_named_and_what_did_not_change_is_left_out(span: Span) -> None:
    lines = rows(span)
    assert lines[2][-7:] == ["4", "NoValidHost", "×", "3,", "ValueError", "×", "1"]
    assert not any(line[0] == "rest" for line in lines)
    assert not any(line[0] in (LATE.name, FAILED.name, *TIMES.values()) for line in lines if "no" not in line)
    assert any(line[0] == SENT.name for line in lines)  # what the table does not show is drawn as ever


def test_top_bounds_the_methods_and_not_their_ends(span: Span) -> None:
    lines = rows(span, top=2)
    assert [line[0] for line in lines[1:4]] == ["lonely", "build", "build"]
    assert lines[4] == ["1", "more", "(--top", "3", "shows", "all)"]


def test_no_column_stands_for_what_never_happened(span: Span) -> None:
    calm = Span(tracer(ENDS), started=0.0)
    for snapshot in (span.first, span.last):
        assert snapshot is not None
        families = {name: found for name, found in snapshot.families.items() if name in (CLIENT.name, SERVER.name)}
        calm.add(Snapshot(tracer(ENDS), families, snapshot.taken))
    assert rows(calm)[0] == ["method", "end", "program", "COUNT", "RATE", "P50", "P99", "SUM"]


def test_nothing_is_drawn_where_nothing_was_called(span: Span) -> None:
    assert span.first is not None
    still = Span(tracer(ENDS), started=0.0)
    still.add(span.first)
    still.add(span.first)
    assert not any(line[:2] == ["method", "end"] for line in rows(still))


def test_rpc_has_such_a_table() -> None:
    assert isinstance(load(builtin_folder() / "rpc.py").summary, Ends)


@pytest.mark.parametrize(
    ("ends", "problem"),
    [
        (Ends("method", {"client": SENT.name}), "summary: expected a histogram of seconds by program and method"),
        (Ends("verb", TIMES), "summary: expected a histogram of seconds by program and verb"),
        (Ends("method", TIMES, SENT.name), "summary: expected a counter by program, side and method"),
        (Ends("method", TIMES, wrong={"late": "none"}), "summary: expected a counter by program, side and method"),
    ],
)
def test_ends_that_do_not_belong_together_are_refused(ends: Ends, problem: str) -> None:
    assert any(found.startswith(problem) for found in problems(tracer(ends)))
