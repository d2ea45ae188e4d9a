"""The three pipes of a worker: real pipes, and a worker that is a test."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Callable

import pytest

from scalpels_exporter.supervise.allowance import CPU_BURST_SECONDS, CPU_SHARE, Allowance
from scalpels_exporter.supervise.pipes import LOG_LINE_BYTES, LOG_LINES_BURST, Pipes, has_room


class Worker:
    """The other ends of the pipes, and what the agent heard."""

    def __init__(self) -> None:
        (self.stdin, agent_stdin), (agent_stdout, self.stdout), (agent_stderr, self.stderr) = (
            os.pipe() for _ in range(3)
        )
        self.agent_ends = (agent_stdin, agent_stdout, agent_stderr)
        self.data = bytearray()
        self.log: list[str] = []
        self.ends = 0
        self.pipes = Pipes(self.agent_ends, self.data.extend, self.log.append, self._ended)

    def _ended(self) -> None:
        self.ends += 1

    def close(self) -> None:
        self.pipes.close()
        for descriptor in (self.stdin, self.stdout, self.stderr):
            if descriptor >= 0:
                os.close(descriptor)
        for descriptor in self.agent_ends:
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(descriptor)

    def close_own(self, *names: str) -> None:
        for name in names:
            os.close(getattr(self, name))
            setattr(self, name, -1)


async def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.005)


async def push(descriptor: int, data: bytes) -> None:
    """Writes all of it while the loop runs on, so that the other side can read."""
    os.set_blocking(descriptor, False)
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            await asyncio.sleep(0.001)


def with_worker(play: Callable[[Worker], object]) -> None:
    async def run() -> None:
        worker = Worker()
        try:
            await play(worker)  # type: ignore[misc]
        finally:
            worker.close()

    asyncio.run(run())


def test_a_tick_is_one_newline_and_a_full_or_closed_stdin_takes_none() -> None:
    async def play(worker: Worker) -> None:
        assert worker.pipes.tick()
        assert os.read(worker.stdin, 10) == b"\n"
        taken = sum(worker.pipes.tick() for _ in range(70_000))
        assert taken == 65_536
        worker.close_own("stdin")
        assert not worker.pipes.tick()
        worker.pipes.close_stdin()
        assert not worker.pipes.tick()

    with_worker(play)


def test_bytes_flow_as_they_are_and_the_end_is_told_once() -> None:
    async def play(worker: Worker) -> None:
        os.write(worker.stdout, b"half a li")
        await wait_for(lambda: worker.data == b"half a li")
        os.write(worker.stdout, b"ne\n\xff\x00")
        worker.close_own("stdout")
        await wait_for(lambda: worker.ends)
        assert worker.data == b"half a line\n\xff\x00"
        worker.pipes.drain()
        assert worker.ends == 1

    with_worker(play)


def test_the_log_comes_line_by_line_whatever_is_in_it() -> None:
    async def play(worker: Worker) -> None:
        os.write(worker.stderr, b"first\nsec")
        await wait_for(lambda: worker.log)
        assert worker.log == ["first"]
        os.write(worker.stderr, b"ond\n\n  \n\xff\xfe bytes\n" + b"l" * 9000 + b"\nlast without newline")
        await wait_for(lambda: len(worker.log) == 4)
        worker.pipes.drain()
        assert worker.log == ["first", "second", "\ufffd\ufffd bytes", "l" * LOG_LINE_BYTES, "last without newline"]

    with_worker(play)


def test_a_log_line_without_end_keeps_its_beginning_alone() -> None:
    async def play(worker: Worker) -> None:
        os.write(worker.stderr, b"E! it began" + b"." * 5000)
        for _ in range(100):
            await push(worker.stderr, b"x" * 60_000)
        await push(worker.stderr, b"\nnext\n")
        await wait_for(lambda: len(worker.log) == 2)
        assert worker.log[0].startswith("E! it began...")
        assert len(worker.log[0]) == LOG_LINE_BYTES
        assert worker.log[1] == "next"

    with_worker(play)


def test_a_flood_of_log_lines_is_cut_to_a_burst_and_counted() -> None:
    async def play(worker: Worker) -> None:
        os.write(worker.stderr, b"noise\n" * 10_000)  # fits into the pipe
        await wait_for(lambda: len(worker.log) + worker.pipes.log_dropped == 10_000)
        assert LOG_LINES_BURST <= len(worker.log) <= LOG_LINES_BURST + 20
        assert worker.pipes.cpu_seconds > 0  # and it is charged to who made it

    with_worker(play)


@pytest.mark.parametrize("pipe", ["stdout", "stderr"])
def test_a_flood_is_read_within_its_share_of_cpu_and_both_pipes_wait(pipe: str) -> None:
    async def play(worker: Worker) -> None:
        worker.pipes._allowance.spend(2 * CPU_BURST_SECONDS)  # as though a flood had used it up
        os.write(getattr(worker, pipe), b"\n" * 1000)
        await wait_for(lambda: worker.pipes._charged)
        assert worker.pipes._charged == pytest.approx(CPU_BURST_SECONDS / CPU_SHARE, rel=0.2)
        other = worker.stdout if pipe == "stderr" else worker.stderr
        os.write(other, b"a line\n")
        resumes = worker.pipes._resume
        assert resumes is not None
        await asyncio.sleep(0)
        assert worker.log == []
        assert bytes(worker.data).strip() == b""
        resumes.cancel()  # the clock of the test need not run as long
        worker.pipes._listen()
        await wait_for(lambda: worker.log == ["a line"] or bytes(worker.data).strip() == b"a line")

    with_worker(play)


def test_draining_ends_though_somebody_else_floods_on() -> None:
    async def play(worker: Worker) -> None:
        pid = os.fork()
        if pid == 0:
            try:
                while True:
                    os.write(worker.stderr, b"noise\n" * 1000)
                    os.write(worker.stdout, b"noise\n" * 1000)
            finally:
                os._exit(0)
        try:
            await wait_for(lambda: worker.data)
            loop = asyncio.get_running_loop()
            began = loop.time()
            worker.pipes.drain()
            assert loop.time() - began < 10 * CPU_BURST_SECONDS
            assert worker.data
        finally:
            os.kill(pid, 9)
            os.waitpid(pid, 0)

    with_worker(play)


def test_the_last_words_are_heard_after_a_flood_used_the_allowance_up() -> None:
    async def play(worker: Worker) -> None:
        worker.pipes._allowance.spend(2 * CPU_BURST_SECONDS)
        os.write(worker.stdout, b"the last snapshot\n")
        os.write(worker.stderr, b"E! the reason\n")
        worker.pipes.drain()
        assert worker.data == b"the last snapshot\n"
        assert worker.log == ["E! the reason"]

    with_worker(play)


def test_an_allowance_is_a_burst_and_a_share_of_the_time() -> None:
    now = [100.0]
    allowance = Allowance(lambda: now[0])
    assert allowance.spend(CPU_BURST_SECONDS) == 0
    assert allowance.spend(0.5) == pytest.approx(0.5 / CPU_SHARE)
    now[0] += 0.5 / CPU_SHARE
    assert allowance.spend(0.0) == pytest.approx(0, abs=1e-9)
    now[0] += 1e6  # however long it was quiet, there is one burst
    assert allowance.spend(CPU_BURST_SECONDS) == 0
    assert allowance.spend(0.1) == pytest.approx(0.1 / CPU_SHARE)
    now[0] -= 1e6  # a clock that goes back gives nothing and takes nothing
    assert allowance.spend(0.0) == pytest.approx(0.1 / CPU_SHARE)
    assert allowance.spent == pytest.approx(2 * CPU_BURST_SECONDS + 0.6)


def test_pipes_leave_room_for_the_agents_own_files() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert has_room([3, 4, 5])
    assert not has_room([])
    assert not has_room([3, 4])
    assert not has_room([3, 4, soft - 1])
