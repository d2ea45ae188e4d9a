"""What is wanted: the configuration, unless somebody said otherwise."""

from __future__ import annotations

from scalpels_exporter.config.settings import Chosen
from scalpels_exporter.declare import Bpf, Counter, Parser, Tracepoint, Tracer
from scalpels_exporter.supervise.wants import Override, Wants


def test_the_configuration_decides_until_somebody_says_otherwise() -> None:
    wants = Wants()
    assert wants.wanted("fs", True)
    assert not wants.wanted("fs", False)
    wants.say("fs", Override(False, None, "too dear", "ann"))
    assert not wants.wanted("fs", True)
    assert wants.why("fs", True) == "stopped by ann: too dear"


def test_a_lease_ends_by_itself_and_gives_the_word_back_to_the_configuration() -> None:
    wants = Wants()
    wants.say("port", Override(True, 100.0, "", "ann"))
    wants.say("fs", Override(True, None, "", "ann"))
    assert wants.next_end() == 100.0
    assert wants.expire(99.9) == []
    assert [name for name, _ in wants.expire(100.0)] == ["port"]
    assert not wants.wanted("port", False)
    assert wants.wanted("fs", False)
    assert wants.next_end() is None


def test_a_reload_forgets_only_tracers_that_are_no_more() -> None:
    wants = Wants()
    wants.say("port", Override(True, 100.0, "", "ann"))
    wants.say("gone", Override(True, 100.0, "", "ann"))
    wants.keep(["port", "fs"])
    assert wants.wanted("port", False)
    assert wants.override("gone") is None


def test_a_tracer_that_others_cannot_do_without_is_wanted_as_long_as_they_are() -> None:
    kernel = Bpf((Tracepoint("sched", "sched_switch", "on_switch"),))
    fs, programs = (
        Chosen(Tracer(name, "X.", (Counter(f"scalpels_{name}_total", "X."),), kernel), enabled=name == "fs")
        for name in ("fs", "programs")
    )
    wants = Wants()
    wants.require([programs, fs])
    assert wants.wanted("programs", False)
    assert wants.why("programs", False) == "needed by fs"
    wants.say("programs", Override(False, None, "", "ann"))
    assert wants.wanted("programs", False)
    wants.say("fs", Override(False, None, "", "ann"))
    wants.require([programs, fs])
    assert not wants.wanted("programs", False)
    assert wants.why("programs", False) == "stopped by ann"


def test_what_a_needed_tracer_needs_is_wanted_too() -> None:
    kernel = (Tracepoint("syscalls", "sys_exit_read", "on_read"),)
    runs = {
        "sql": Parser("wire", ("mysql",)),
        "http": Parser("wire", ("http",)),
        "wire": Bpf(kernel, calls="parsers"),
        "programs": Bpf(kernel),
    }
    every = [
        Chosen(Tracer(name, "X.", (Counter(f"scalpels_{name}_total", "X."),), one), name == "sql")
        for name, one in runs.items()
    ]
    wants = Wants()
    wants.require(every)
    assert [wants.wanted(name, name == "sql") for name in runs] == [True, False, True, True]
    assert wants.why("wire", False) == "needed by sql"
    assert wants.why("programs", False) == "needed by wire"
    wants.say("http", Override(True, None, "", "ann"))
    wants.require(every)
    assert wants.why("wire", False) == "needed by sql, http"
    assert wants.why("programs", False) == "needed by wire"
    wants.say("sql", Override(False, None, "", "ann"))
    wants.say("http", Override(False, None, "", "ann"))
    wants.require(every)
    assert not any(wants.wanted(name, False) for name in runs)
