"""Where a host and those who live in its worker have their places, and what they may not both call by one name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scalpels_exporter.bpf import hosted
from scalpels_exporter.bpf.soundness import hosting_problems
from scalpels_exporter.config.settings import Chosen
from scalpels_exporter.declare import (
    Bpf,
    Count,
    Counter,
    Field,
    Offset,
    Parameter,
    Parser,
    Table,
    Tracepoint,
    Tracer,
)
from scalpels_exporter.soundness import problems

PROBES = (Tracepoint("syscalls", "sys_exit_read", "on_read"),)


def tracer(name: str, runs: Bpf | Parser, parameters: tuple[Parameter, ...] = ()) -> Tracer:
    return Tracer(name, "X.", (Counter(f"scalpels_{name}_total", "X.", ("program",)),), runs, parameters)


def table(name: str, of: str) -> Table:
    return Table(name, (Field("program", "I", "program"),), (Count(f"scalpels_{of}_total"),))


HOST = tracer(
    "wire", Bpf(PROBES, (table("bytes", "wire"),), calls="parsers", programs=("drop", "skip"), lost=("late",))
)
SQL = tracer(
    "sql",
    Parser("wire", ("mysql", "postgres"), ("is_mysql",), (table("sql_calls", "sql"),), lost=("cut",)),
    (Parameter("longest", "integer", 9, "X."), Parameter("words", "texts", ("a",), "X.")),
)
HTTP = tracer("http", Parser("wire", ("http",), ("is_http", "is_answer"), (table("http_calls", "http"),)))


def hosting(*members: Tracer) -> Chosen:
    chosen = (Chosen(one, False, {p.name: p.default for p in one.parameters}) for one in members)
    return Chosen(HOST, True, members=tuple(chosen))


def test_recognisers_come_first_then_the_hosts_programs_then_the_members() -> None:
    told = hosted.definitions(hosting(HTTP, SQL))
    places = ("IS_HTTP", "IS_ANSWER", "IS_MYSQL", "DROP", "SKIP", "HTTP", "MYSQL", "POSTGRES")
    assert [told[f"CALL_{name}"] for name in places] == list(range(8))
    assert (told["RECOGNISERS"], told["CALLS"]) == (3, 8)
    assert (told["SWITCH_HTTP"], told["SWITCH_SQL"]) == (0, 1)
    assert told["PARAMETER_SQL_LONGEST"] == 9
    assert "PARAMETER_SQL_WORDS" not in told
    assert (told["SQL_CALLS_ENTRIES"], told["BYTES_ENTRIES"]) == (1000, 1000)


def test_lost_events_have_one_map_and_each_tracer_its_own_reasons() -> None:
    whole = hosting(HTTP, SQL)
    told = hosted.definitions(whole)
    names = ("FULL", "LATE", "HTTP_FULL", "SQL_FULL", "CUT")
    assert [told[f"LOST_{name}"] for name in names] == list(range(5))
    assert told["LOST_REASONS"] == 5
    assert hosted.lost_places(whole, whole) == {"full": 0, "late": 1}
    assert hosted.lost_places(whole, whole.members[1]) == {"full": 3, "cut": 4}


def test_a_host_without_members_has_its_own_programs_alone() -> None:
    told = hosted.definitions(Chosen(HOST, True))
    assert (told["RECOGNISERS"], told["CALLS"], told["CALL_DROP"], told["CALL_SKIP"]) == (0, 2, 0, 1)


@pytest.mark.parametrize(
    ("second", "problem"),
    [
        (
            Parser("wire", ("mysql",)),
            "runs: CALL_MYSQL is defined by sql and by twin: give one of the two another name",
        ),
        (Parser("wire", ("t",), ("drop",)), "runs: CALL_DROP is defined by twin and by wire: "),
        (Parser("wire", ("t",), lost=("cut",)), "runs: LOST_CUT is defined by sql and by twin: "),
        (Parser("wire", ("t",), lost=("sql_full",)), "runs: LOST_SQL_FULL is defined by sql and by twin: "),
        (
            Parser("wire", ("t",), tables=(table("bytes", "twin"),)),
            "runs: BYTES_ENTRIES is defined by wire and by twin: ",
        ),
        (Parser("wire", ("t",), offsets=(Offset("A", "file", "x"),)), "runs: A is another offset in twin: "),
    ],
)
def test_a_name_that_two_of_one_worker_give_is_said_in_one_line(second: Parser, problem: str) -> None:
    first = replace(SQL, runs=replace(SQL.runs, offsets=(Offset("A", "file", "f_inode"),)))  # type: ignore[type-var]
    every = {"wire": HOST, "sql": first, "twin": tracer("twin", second)}
    [(name, found)] = hosting_problems(every)
    assert name == "wire"
    assert found.startswith(problem)


def test_an_offset_that_two_of_one_worker_mean_alike_is_shared() -> None:
    same = (Offset("A", "file", "f_inode", required=True),)
    every = {
        "wire": HOST,
        **{name: tracer(name, Parser("wire", (name,), offsets=same)) for name in ("one", "two")},
    }
    assert list(hosting_problems(every)) == []


def test_a_host_must_be_there_and_call_others() -> None:
    plain = tracer("wire", Bpf(PROBES))
    assert list(hosting_problems({"sql": SQL})) == [("sql", "runs: host wire: there is no tracer of that name")]
    assert list(hosting_problems({"sql": SQL, "wire": plain})) == [("sql", "runs: host wire: its runs has no calls")]
    assert list(hosting_problems({"sql": SQL, "wire": HOST, "http": HTTP})) == []


@pytest.mark.parametrize(
    ("runs", "problem"),
    [
        (Parser("", ("f",)), "runs: host: expected the name of a tracer, got nothing"),
        (Parser("wire", ()), "runs: expected at least one program"),
        (Parser("wire", ("f()",)), 'runs: expected the name of a function, got "f()"'),
        (Parser("wire", ("f",), ("f",)), "runs: the function f has one place, and is named twice"),
        (Parser("wire", ("f",), companion="a b"), 'runs: expected the name of a function, got "a b"'),
        (Parser("wire", ("f",), companion="C", check="a b"), 'runs: expected the name of a function, got "a b"'),
        (Parser("wire", ("f",), check="g"), "runs: check: expected a companion, which runs it"),
        (
            Parser("wire", ("f",), tables=(table("switches", "try"),)),
            "runs: map switches: expected a name of lower-case",
        ),
        (Bpf(PROBES, programs=("f",)), "runs: programs: expected calls, which names the map to put them into"),
        (Bpf(PROBES, calls="a-b"), 'runs: calls: expected the name of a map, got "a-b"'),
        (Bpf(PROBES, calls="parsers", programs=("f", "f")), "runs: the function f has one place, and is named twice"),
    ],
)
def test_each_broken_rule_is_said_in_one_line(runs: Bpf | Parser, problem: str) -> None:
    [found] = problems(tracer("try", runs))
    assert found.startswith(problem)
