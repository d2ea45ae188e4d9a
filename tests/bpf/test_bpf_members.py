"""The members of a host's worker, with real pipes and maps, and a test in the place of the spawner and of the loop."""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from scalpels_exporter.bpf import maps
from scalpels_exporter.bpf.decoders import Sources
from scalpels_exporter.bpf.members import Members
from scalpels_exporter.bpf.reading import Held
from scalpels_exporter.config.settings import Chosen
from scalpels_exporter.declare import (
    Bpf,
    Count,
    Counter,
    Field,
    Kernel,
    Needs,
    Parser,
    Sample,
    Table,
    Tracepoint,
    Tracer,
    Unsupported,
)

pytestmark = pytest.mark.root
ENTRIES = 4096


def member(name: str, companion: str = "", needs: Needs | None = None) -> Chosen:
    metric = f"scalpels_{name}_total"
    table = Table(name, (Field("place", "I"),), (Count(metric),))
    runs = Parser("host", (name,), tables=(table,), lost=(f"{name}_late",), companion=companion)
    return Chosen(Tracer(name, "X.", (Counter(metric, "X.", ("place",)),), runs, needs=needs or Needs()), False)


class Stage:
    """`spawner` is the end that the spawner has."""

    def __init__(self, *members: Chosen, module: object = None) -> None:
        runs = Bpf((Tracepoint("syscalls", "sys_exit_read", "on_read"),), calls="parsers")
        host = Chosen(Tracer("host", "X.", (), runs), True, members=members)
        self.maps = {one.tracer.name: maps.create(maps.HASH, 4, 8, ENTRIES, one.tracer.name) for one in members}
        self.maps["switches"] = maps.create(maps.ARRAY, 4, 4, 32, "switches")
        self.maps["lost"] = maps.create(maps.ARRAY, 4, 8, 1 + 2 * len(members), "lost")
        self.spawner, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.spawner.setblocking(False)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as a worker begins
        modules: dict[str, Any] = {one.tracer.name: module for one in members}
        held = Held(host, (), self.maps, {}, Sources(str))
        self.members = Members(held, modules, theirs.detach(), frozenset())
        self.opened: list[int] = []

    def add(self, name: str, run: int) -> tuple[int, int, int]:
        """What the agent gets: where to write ticks, where to read snapshots and the log."""
        (a, b), (c, d), (e, f) = os.pipe(), os.pipe(), os.pipe()
        socket.send_fds(self.spawner, [f"add {name} {run}".encode()], [a, d, f])
        for descriptor in (a, d, f):
            os.close(descriptor)
        self.opened += [b, c, e]
        self.turn()
        return b, c, e

    def turn(self) -> None:
        """Until nothing can be done any more."""
        while True:
            poll = select.poll()
            for descriptor, events in self.members.interests():
                poll.register(descriptor, events)
            ready = dict(poll.poll(0))
            if not ready:
                return
            self.members.turn(ready)

    def told(self) -> list[str]:
        found = []
        while select.select([self.spawner], [], [], 0)[0]:
            found.append(self.spawner.recv(512).decode())
        return found

    def switches(self) -> list[int]:
        return [int.from_bytes(value, "little") for _, value in sorted(self.maps["switches"].items())[:2]]

    def close(self) -> None:
        self.spawner.close()
        self.turn()
        for descriptor in [*self.opened, *(one.descriptor for one in self.maps.values())]:
            os.close(descriptor)


@pytest.fixture
def staged() -> Iterator[Callable[..., Stage]]:
    made: list[Stage] = []

    def make(*members: Chosen, module: object = None) -> Stage:
        made.append(Stage(*members, module=module))
        return made[-1]

    before = signal.getsignal(signal.SIGPIPE)
    yield make
    for stage in made:
        stage.close()
    signal.signal(signal.SIGPIPE, before)


def read(descriptor: int) -> bytes:
    found = b""
    while select.select([descriptor], [], [], 0)[0] and (chunk := os.read(descriptor, 1 << 20)):
        found += chunk
    return found


def test_each_answers_its_own_ticks_while_it_is_on(staged: Callable[..., Stage]) -> None:
    stage = staged(member("one"), member("two"))
    one_in, one_out, _ = stage.add("one", 1)
    assert stage.switches() == [1, 0]
    two_in, two_out, _ = stage.add("two", 2)
    assert stage.switches() == [1, 1]
    stage.maps["two"].put(struct.pack("=I", 7), struct.pack("=Q", 23))
    stage.maps["lost"].put(struct.pack("=I", 4), struct.pack("=Q", 5))
    os.write(one_in, b"\n")
    os.write(two_in, b"\n\n")
    stage.turn()
    assert read(one_out) == b'{"end":true}\n'
    answer = b'["scalpels_two_total",["7"],23]\n{"end":true,"lost":{"two_late":5},"fill":{"two":0.000244140625}}\n'
    assert read(two_out) == 2 * answer

    os.close(stage.opened.pop(stage.opened.index(one_in)))  # what a stop begins with
    stage.turn()
    assert stage.switches() == [0, 1]
    assert stage.told() == ["ended one 1 0"]
    assert os.read(one_out, 1) == b""
    stage.spawner.send(b"drop two 9")  # of another life
    stage.turn()
    assert stage.switches() == [0, 1]
    stage.spawner.send(b"drop two 2")
    stage.turn()
    assert stage.switches() == [0, 0]
    assert stage.told() == ["ended two 2 0"]


def test_one_whose_output_nobody_reads_holds_no_other_up(staged: Callable[..., Stage]) -> None:
    stage = staged(member("one"), member("two"))
    one_in, one_out, _ = stage.add("one", 1)
    two_in, two_out, _ = stage.add("two", 2)
    for n in range(ENTRIES):
        stage.maps["one"].put(struct.pack("=I", n), struct.pack("=Q", 1))
    for _ in range(100):  # of which one alone is more than the pipe takes
        os.write(one_in, b"\n")
        os.write(two_in, b"\n")
        stage.turn()
    assert read(two_out).count(b'{"end":true') == 100
    first = os.read(one_out, 1 << 20)
    assert b'"end"' not in first
    stage.turn()
    rest = b""
    while b'"end"' not in rest:
        rest += read(one_out)
        stage.turn()
    assert first.count(b"\n") + rest[: rest.index(b'{"end"')].count(b"\n") == ENTRIES  # and it is whole

    stage.spawner.send(b"drop one 1")
    stage.turn()
    assert stage.told() == ["ended one 1 0"]


@pytest.mark.parametrize("closed", ["stdin", "stdout"])
def test_one_that_is_written_to_and_whose_agent_is_gone_ends(staged: Callable[..., Stage], closed: str) -> None:
    stage = staged(member("one"))
    one_in, one_out, _ = stage.add("one", 1)
    for n in range(ENTRIES):
        stage.maps["one"].put(struct.pack("=I", n), struct.pack("=Q", 1))
    os.write(one_in, b"\n")
    stage.turn()
    assert stage.told() == []
    gone = one_in if closed == "stdin" else one_out
    os.close(stage.opened.pop(stage.opened.index(gone)))
    stage.turn()
    assert stage.told() == ["ended one 1 0"]


def test_counters_go_on_over_a_stop(staged: Callable[..., Stage]) -> None:
    stage = staged(member("one"))
    for run in (1, 2):
        one_in, one_out, _ = stage.add("one", run)
        stage.maps["one"].put(struct.pack("=I", run), struct.pack("=Q", run))
        os.write(one_in, b"\n")
        stage.turn()
        assert read(one_out).count(b"scalpels_one_total") == run
        stage.spawner.send(f"drop one {run}".encode())
        stage.turn()


class Broken(Exception):
    pass


def companion(samples: Callable[[], list[Sample]], beats: list[Kernel] | None = None) -> ModuleType:
    def make(kernel: Kernel) -> object:
        def beat() -> float:
            if beats is not None:
                beats.append(kernel)
            return 60.0

        return SimpleNamespace(beat=beat, samples=samples)

    return SimpleNamespace(make=make)  # type: ignore[return-value]


def test_a_companion_adds_its_samples_and_sees_the_maps_of_the_host(staged: Callable[..., Stage]) -> None:
    beats: list[Kernel] = []
    module = companion(lambda: [("scalpels_one_total", ("mine",), 4)], beats)
    stage = staged(member("one", "make"), member("two"), module=module)
    one_in, one_out, _ = stage.add("one", 1)
    [kernel] = beats
    assert set(kernel.maps) >= {"one", "two", "switches"}
    assert list(kernel.records()) == []
    os.write(one_in, b"\n")
    stage.turn()
    assert read(one_out) == b'["scalpels_one_total",["mine"],4]\n{"end":true}\n'


def test_a_companion_that_breaks_ends_its_own_tracer_with_the_reason(staged: Callable[..., Stage]) -> None:
    def fail() -> list[Sample]:
        raise Broken("out of ideas")

    stage = staged(member("one", "make"), member("two"), module=companion(fail))
    one_in, _, one_log = stage.add("one", 1)
    two_in, two_out, _ = stage.add("two", 2)
    os.write(one_in, b"\n")
    os.write(two_in, b"\n")
    stage.turn()
    assert stage.told() == ["ended one 1 1"]
    assert stage.switches() == [0, 1]
    assert read(one_log).startswith(b"E! Broken: out of ideas (")
    assert read(two_out) == b'{"end":true}\n'


def test_a_companion_that_finds_this_host_unfit_makes_its_tracer_unsupported(staged: Callable[..., Stage]) -> None:
    def unfit(_: Kernel) -> object:
        raise Unsupported("no such server here")

    stage = staged(member("one", "make"), module=SimpleNamespace(make=unfit))
    _, _, log = stage.add("one", 1)
    assert stage.told() == ["ended one 1 69"]
    assert read(log) == b"E! no such server here\n"
    assert stage.switches() == [0, 0]


def test_what_this_host_lacks_for_one_is_said_in_its_own_log(staged: Callable[..., Stage]) -> None:
    stage = staged(member("one", needs=Needs(files=("/proc/gone",), capabilities=("CAP_SYS_PTRACE",))))
    _, _, log = stage.add("one", 1)
    assert stage.told() == ["ended one 1 69"]
    said = read(log).decode()
    assert "capability CAP_SYS_PTRACE missing" in said
    assert "/proc/gone not there" in said


def test_one_that_it_was_not_loaded_with_is_refused(staged: Callable[..., Stage]) -> None:
    stage = staged(member("one"))
    _, _, log = stage.add("three", 1)
    assert stage.told() == ["ended three 1 1"]
    assert read(log) == b"E! host was loaded without it\n"


def test_a_map_that_is_not_as_declared_ends_its_own_tracer(staged: Callable[..., Stage]) -> None:
    stage = staged(member("one"), member("two"))
    del stage.maps["one"]
    _, _, log = stage.add("one", 1)
    assert stage.told() == ["ended one 1 1"]
    assert read(log) == b"E! the source has no map one\n"
