"""One table of counts, times and errors, for tracers that declare which metrics belong together."""

from __future__ import annotations

import pytest
from cli_process import Paper

from scalpels_exporter.catalog import builtin_folder, load
from scalpels_exporter.cli.drawing import draw
from scalpels_exporter.cli.seen import Span
from scalpels_exporter.declare import Counter, Counts, Generator, Histogram, Summary, Tracer
from scalpels_exporter.intake.buckets import Buckets
from scalpels_exporter.intake.snapshot import Snapshot
from scalpels_exporter.soundness import problems

TIMES = Histogram("scalpels_sql_seconds", "Times.", ("program", "verb"), "seconds")
ERRORS = Counter("scalpels_sql_errors_total", "Errors.", ("program", "code", "verb"))
ROWS = Counter("scalpels_sql_rows_total", "Rows.", ("program",))
TRACER = Tracer("sql", "SQL.", (TIMES, ERRORS, ROWS), Generator(), summary=Summary(TIMES.name, ERRORS.name))


def times(value: float, count: int) -> Counts:
    made = Buckets(TIMES.buckets)
    made.observe(value, count)
    made.add_sum(value * count)
    return made.state()


@pytest.fixture
def span() -> Span:
    made = Span(TRACER, started=0.0)
    for step in range(2):
        families = {
            TIMES.name: {
                ("nova", "select"): times(0.001, 1000 * step),
                ("nova", "insert"): times(0.5, 30 * step),
                ("idle", "select"): times(0.001, 5),
            },
            ERRORS.name: {
                ("nova", "1062", "insert"): 7 * step,
                ("nova", "1213", "insert"): 2 * step,
                ("nova", "1146", "select"): 0,
            },
            ROWS.name: {("nova",): 40 * step},
        }
        made.add(Snapshot(TRACER, families, 10.0 * step))
    return made


def test_what_took_longest_stands_first_with_its_errors_beside_it(span: Span) -> None:
    sheet = Paper(120)
    draw(span, sheet.screen, top=10)
    head, first, second, *rest = [line.split() for line in sheet.text.splitlines()[2:] if line.strip()]
    assert head == ["program", "verb", "COUNT", "RATE", "P50", "P99", "SUM", "ERRORS"]
    assert first[:4] == ["nova", "insert", "30", "3/s"]
    assert "1062 × 7, 1213 × 2" in sheet.text
    assert second[:3] == ["nova", "select", "1,000"]
    assert "idle" not in sheet.text.split("no series")[0]
    assert any(
        line[:1] == ["scalpels_sql_rows_total"] for line in rest
    )  # what the table does not show is drawn as ever
    assert not any(line[:1] == [TIMES.name] for line in rest)


def test_each_further_histogram_has_a_table_of_its_own(span: Span) -> None:
    other = Histogram("scalpels_sql_other_seconds", "Times.", ("program", "verb"), "seconds")
    summary = Summary(TIMES.name, ERRORS.name, more=(other.name,))
    two = Tracer("sql", "SQL.", (TIMES, ERRORS, ROWS, other), Generator(), summary=summary)
    twice = Span(two, started=0.0)
    for snapshot in (span.first, span.last):
        assert snapshot is not None
        families = {**snapshot.families, other.name: snapshot.families[TIMES.name]}
        twice.add(Snapshot(two, families, snapshot.taken))
    sheet = Paper(120)
    draw(twice, sheet.screen, top=10)
    lines = [line.split() for line in sheet.text.splitlines() if line.strip()]
    tables = [n for n, line in enumerate(lines) if "COUNT" in line]
    assert [lines[n - 1] for n in tables] == [[TIMES.name], [other.name]]
    assert [lines[n + 1][:3] for n in tables] == [["nova", "insert", "30"]] * 2
    assert sheet.text.count("1062 × 7") == 1  # of the first alone


def test_what_failed_comes_first_where_failures_are_series_of_their_own(span: Span) -> None:
    failing = Tracer(
        "sql", "SQL.", (TIMES, ERRORS, ROWS), Generator(), summary=Summary(TIMES.name, failed=("verb", "sel"))
    )
    again = Span(failing, started=0.0)
    for snapshot in (span.first, span.last):
        assert snapshot is not None
        again.add(Snapshot(failing, snapshot.families, snapshot.taken))
    sheet = Paper(120)
    draw(again, sheet.screen, top=10)
    verbs = [line.split()[1] for line in sheet.text.splitlines() if line.split()[:1] == ["nova"]]
    assert verbs[:2] == ["select", "insert"]


def test_top_bounds_the_table(span: Span) -> None:
    sheet = Paper(120)
    draw(span, sheet.screen, top=1)
    assert "1 more (--top 2 shows all)" in sheet.text


@pytest.mark.parametrize("name", ["fs", "http", "sql", "syscalls"])
def test_the_shipped_tracers_that_time_things_have_one(name: str) -> None:
    assert load(builtin_folder() / f"{name}.py").summary is not None


@pytest.mark.parametrize(
    ("summary", "problem"),
    [
        (Summary(ROWS.name), "summary: expected a histogram of seconds"),
        (Summary(TIMES.name, failed=("status", "5")), 'summary: scalpels_sql_seconds has no label "status"'),
        (Summary(TIMES.name, more=(ROWS.name,)), "summary: expected a histogram of seconds"),
        (Summary(TIMES.name, ROWS.name), "summary: expected a counter with the labels of scalpels_sql_seconds"),
        (Summary(TIMES.name, "scalpels_sql_none_total"), "summary: expected a counter"),
    ],
)
def test_a_summary_of_what_does_not_belong_together_is_refused(summary: Summary, problem: str) -> None:
    tracer = Tracer("sql", "SQL.", (TIMES, ERRORS, ROWS), Generator(), summary=summary)
    assert any(found.startswith(problem) for found in problems(tracer))
