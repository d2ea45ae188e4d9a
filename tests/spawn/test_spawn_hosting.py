"""The spawner's part for tracers that live in another one's worker, with a test in the place of their host."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator, Sequence

import pytest

from scalpels_exporter.declare import Counter, Parser, Tracer
from scalpels_exporter.spawn.hosting import LIMIT, PIPES, Hosting

SQL = Tracer("sql", "X.", (Counter("scalpels_sql_total", "X."),), Parser("wire", ("mysql",)))
HOST_PID = 4711


class Stage:
    """`host` is the end that a host's worker has."""

    def __init__(self) -> None:
        self.answers: list[str] = []
        self.opened: list[int] = []
        self.poll = select.poll()
        self.hosting = Hosting(self.poll, self._answer)
        ours, self.host = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.hosting.began(HOST_PID, "wire", ours)
        self.host.setblocking(False)

    def _answer(self, text: str, descriptors: Sequence[int]) -> None:
        self.answers.append(text)
        self.opened += [os.dup(descriptor) for descriptor in descriptors]

    def taken(self) -> str:
        packet, descriptors, _, _ = socket.recv_fds(self.host, LIMIT, PIPES)
        self.opened += descriptors
        return packet.decode()

    def heard(self) -> list[int]:
        """Whom to kill, for each socket that had something."""
        return [self.hosting.hear(descriptor) for descriptor, _ in self.poll.poll(0)]


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.hosting.host_ended(HOST_PID, 0)
    made.host.close()
    for descriptor in made.opened:
        os.close(descriptor)


def test_a_start_gives_the_host_one_end_of_three_pipes_and_the_agent_the_other(stage: Stage) -> None:
    assert stage.hosting.start(SQL, 7) == ""
    assert stage.answers == ["started sql 7 4711"]
    assert stage.taken() == "add sql 7"
    stdin, stdout, stderr, tracers_in, tracers_out, tracers_log = stage.opened
    for there, here in ((stdin, tracers_in), (tracers_out, stdout), (tracers_log, stderr)):
        os.write(there, b"through")
        assert os.read(here, 10) == b"through"
    assert stage.hosting.start(SQL, 8) == "sql has a worker already"


def test_an_end_is_told_when_the_host_has_told_it(stage: Stage) -> None:
    stage.hosting.start(SQL, 7)
    assert not stage.hosting.end("sql", 6, now=False)
    assert stage.hosting.end("sql", 7, now=False)
    assert [stage.taken(), stage.taken()] == ["add sql 7", "drop sql 7"]
    assert stage.answers == ["started sql 7 4711"]
    stage.host.send(b"ended sql 7 0")
    assert stage.heard() == [0]
    assert stage.answers[1:] == ["ended sql 7 exit:0"]


def test_one_that_has_to_be_killed_is_not_waited_for_and_what_its_host_says_later_is_of_that_run(stage: Stage) -> None:
    stage.hosting.start(SQL, 7)
    assert stage.hosting.end("sql", 7, now=True)
    assert stage.answers[1:] == ["ended sql 7 signal:9"]
    assert stage.hosting.start(SQL, 8) == ""
    stage.host.send(b"ended sql 7 0")
    assert stage.heard() == [0]
    assert stage.answers[2:] == ["started sql 8 4711"]


def test_who_lived_in_a_worker_that_has_ended_has_ended_alike(stage: Stage) -> None:
    stage.hosting.start(SQL, 7)
    stage.hosting.host_ended(HOST_PID, -9)
    assert stage.answers[1:] == ["ended sql 7 host:-9"]
    assert stage.hosting.start(SQL, 8) == "wire has no worker"
    assert stage.heard() == []


@pytest.mark.parametrize(
    "packet",
    [b"ended sql 8 0", b"ended http 7 0", b"ended sql 7", b"ended sql 7 0 ", b"started sql 7 1", b"\xff", b"x" * 600],
)
def test_a_host_that_says_anything_else_is_to_be_killed_and_is_not_listened_to(stage: Stage, packet: bytes) -> None:
    stage.hosting.start(SQL, 7)
    stage.host.send(packet)
    assert stage.heard() == [HOST_PID]
    stage.host.send(b"ended sql 7 0")
    assert stage.heard() == []
    assert stage.answers == ["started sql 7 4711"]


def test_an_end_that_was_told_cannot_be_told_again(stage: Stage) -> None:
    stage.hosting.start(SQL, 7)
    for _ in range(2):
        stage.host.send(b"ended sql 7 0")
    assert stage.heard() == [0]
    assert stage.heard() == [HOST_PID]


def test_a_host_that_takes_nothing_holds_nobody_up(stage: Stage) -> None:
    problem = ""
    for run in range(10_000):
        problem = stage.hosting.start(SQL, run)
        if problem:
            break
        stage.hosting.end("sql", run, now=True)
        while stage.opened:
            os.close(stage.opened.pop())
    assert problem == "sql could not be started: wire takes no more: Resource temporarily unavailable"
    assert stage.hosting.start(SQL, 1) == problem
