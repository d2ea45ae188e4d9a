"""The rules that a declaration with a kernel program must keep."""

from dataclasses import replace
from typing import Any

import pytest

from scalpels_exporter.declare import (
    Bpf,
    Count,
    Counter,
    Distribution,
    Field,
    Gauge,
    Histogram,
    Library,
    Offset,
    Parameter,
    RawTracepoint,
    Table,
    Tracepoint,
    Tracer,
    Uprobe,
)
from scalpels_exporter.soundness import problems

TOTAL = Counter("scalpels_try_calls_total", "X.", ("program", "call"))
PROGRAM, CALL = Field("program", "I", "program"), Field("call", "I", "syscall")
TABLE = Table("calls", (PROGRAM, CALL), (Count("scalpels_try_calls_total"),))
PROBES = (Tracepoint("syscalls", "sys_exit_{calls}", "on_exit"), RawTracepoint("sched_switch", "on_switch"))
GOOD = Tracer(
    "try", "X.",
    (TOTAL, Histogram("scalpels_try_seconds", "X.", ("program",), "seconds"), Gauge("scalpels_try_level", "X.")),
    Bpf(PROBES, (TABLE,)), (Parameter("calls", "texts", ("read",), "X."),),
)  # fmt: skip

LIBRARY = Library((Uprobe("f", "on_f"),), "deep", "scalpels_try_level", "f_wanted")
DEEP = Parameter("deep", "switch", False, "X.")


def test_a_good_declaration_has_no_problem() -> None:
    assert problems(GOOD) == []
    runs = Bpf(PROBES, (TABLE,), library=LIBRARY)
    assert problems(replace(GOOD, runs=runs, parameters=(*GOOD.parameters, DEEP))) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"probes": ()}, "expected 1 to 16 probes, got 0"),
        ({"probes": (Uprobe("f", "on f"),)}, 'expected the name of a function, got "on f"'),
        ({"probes": (Uprobe("", "on_f"),)}, 'expected the name of a symbol, got ""'),
        ({"when": "calls"}, "when: there is no switch calls among the parameters"),
        ({"gauge": TOTAL.name}, f"gauge: {TOTAL.name} is no gauge among the metrics"),
        ({"wanted": "F"}, 'wanted: expected the name of a map, got "F"'),
    ],
)
def test_a_broken_library_is_told_why(change: dict[str, Any], problem: str) -> None:
    runs = Bpf(PROBES, (TABLE,), library=replace(LIBRARY, **change))
    assert problems(replace(GOOD, runs=runs, parameters=(*GOOD.parameters, DEEP))) == [f"runs: library: {problem}"]


@pytest.mark.parametrize(
    ("runs", "problem"),
    [
        (Bpf(()), "expected 1 to 512 probes, got 0"),
        (Bpf(PROBES, source="../x.c"), 'source: expected the name of a .c file beside the stem, got "../x.c"'),
        (Bpf((Tracepoint("a", "b", "f()"),)), 'expected the name of a function, got "f()"'),
        (Bpf((Tracepoint("a", "{kinds}", "f"),)), "probe: expected a tracepoint's name"),
        (Bpf((RawTracepoint("x_{calls}", "f"),)), "probe: expected a tracepoint's name"),
        (Bpf(PROBES, offsets=(Offset("low", "task_struct", "pid"),)), "offset task_struct.pid: expected a name in cap"),
        (Bpf(PROBES, lost=("full",)), "lost: expected lower-case words, and not full"),
        (Bpf(PROBES, (replace(TABLE, map="programs"),)), "map programs: expected a name of lower-case letters"),
        (Bpf(PROBES, (replace(TABLE, key=()),)), "map calls: expected a key and a value"),
        (Bpf(PROBES, (replace(TABLE, key=(PROGRAM,)),)), "no member of the key gives the label call"),
        (Bpf(PROBES, (replace(TABLE, values=(Count("scalpels_try_x"),)),)), "scalpels_try_x is not among the metrics"),
        (Bpf(PROBES, (replace(TABLE, values=(Count("scalpels_try_level"),)),)), "a Count is a Counter"),
        (Bpf(PROBES, (replace(TABLE, values=(Distribution(TOTAL.name),)),)), "a Distribution is a Histogram"),
        (Bpf(PROBES, (replace(TABLE, key=(PROGRAM, replace(CALL, decoder="magic"))),)), "expected a decoder, one of"),
        (Bpf(PROBES, (replace(TABLE, key=(PROGRAM, replace(CALL, format="II"))),)), "expected one letter of Python's"),
        (Bpf(PROBES, (replace(TABLE, key=(PROGRAM, Field("call", "16s"))),)), "a text, and nothing else, has a format"),
        (
            Bpf(PROBES, (replace(TABLE, key=(PROGRAM, Field("call", "B", "choice"))),)),
            "a choice, and nothing else, has",
        ),
    ],
)
def test_each_broken_rule_is_said_in_one_line(runs: Bpf, problem: str) -> None:
    found = problems(replace(GOOD, runs=runs))
    assert [line for line in found if problem in line], found
    assert all(line.startswith("runs: ") for line in found)
