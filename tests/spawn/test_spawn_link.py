"""The agent's end of the socket to the spawner, with a real socket and a test in the spawner's place."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import Awaitable, Callable

import pytest

from scalpels_exporter.spawn import messages
from scalpels_exporter.spawn.link import MOST_WAITING, Link


class Heard:
    def __init__(self, sock: socket.socket) -> None:
        self.answers: list[tuple[list[str], list[int]]] = []
        self.closed = 0
        self.link = Link(sock, lambda words, files: self.answers.append((words, files)), self._closed)
        self.link.open()

    def _closed(self) -> None:
        self.closed += 1


def play(scene: Callable[[Heard, socket.socket], Awaitable[None]]) -> None:
    async def run() -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            heard = Heard(ours)
            try:
                await scene(heard, theirs)
            finally:
                heard.link.close()

    asyncio.run(run())


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.002)


def test_orders_to_a_spawner_that_is_slow_wait_and_come_in_their_order() -> None:
    async def scene(heard: Heard, spawner: socket.socket) -> None:
        orders = [messages.Start("tracer", number) for number in range(3000)]  # far more than a socket holds
        for order in orders:
            heard.link.send(order)
        spawner.setblocking(False)
        got: list[messages.Order] = []

        def take() -> bool:
            try:
                while True:
                    got.append(messages.decode(spawner.recv(messages.LIMIT + 1)))
            except BlockingIOError:
                return len(got) == len(orders)

        await until(take)
        assert got == orders
        heard.link.send(messages.Reload())  # and the way is free again
        assert spawner.recv(100) == b"reload"

    play(scene)


def test_orders_that_nobody_ever_takes_are_bounded() -> None:
    async def scene(heard: Heard, _: socket.socket) -> None:
        def send_for_ever() -> None:
            for number in range(3 * MOST_WAITING):
                heard.link.send(messages.Kill("tracer", number))

        with pytest.raises(OSError, match="orders wait"):
            send_for_ever()

    play(scene)


def test_an_answer_comes_with_its_words_and_its_descriptors() -> None:
    async def scene(heard: Heard, spawner: socket.socket) -> None:
        read, write = os.pipe()
        socket.send_fds(spawner, [b"started blockio 7 4711"], [read, write, read])
        spawner.send(b"unstarted blockio 8 it has a worker already")
        spawner.send(b"refused an unknown message")
        spawner.send(b"\xff\xfe")
        await until(lambda: len(heard.answers) == 4)
        words = [answer for answer, _ in heard.answers]
        assert words[:3] == [
            ["started", "blockio", "7", "4711"],
            ["unstarted", "blockio", "8", "it has a worker already"],
            ["refused", "an unknown message"],
        ]
        files = heard.answers[0][1]
        assert len(files) == 3
        os.write(files[1], b"through")
        assert os.read(files[0], 10) == b"through"
        for descriptor in (*files, read, write):
            os.close(descriptor)

    play(scene)


def test_descriptors_that_there_is_no_room_for_come_all_or_none_and_leak_nothing() -> None:
    async def scene(heard: Heard, spawner: socket.socket) -> None:
        read, write = os.pipe()
        socket.send_fds(spawner, [b"started blockio 7 4711"], [read, write, read])
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        free = os.dup(read)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + 2, limits[1]))  # two of three
        try:
            await until(lambda: heard.answers)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert heard.answers == [(["started", "blockio", "7", "4711"], [])]
        assert os.dup(read) == free  # nothing was left open
        for descriptor in (free, read, write):
            os.close(descriptor)

    play(scene)


def test_a_spawner_that_is_gone_is_told_once_also_with_orders_on_their_way() -> None:
    async def scene(heard: Heard, spawner: socket.socket) -> None:
        for number in range(1000):
            heard.link.send(messages.Kill("tracer", number))
        spawner.close()
        await until(lambda: heard.closed)
        await asyncio.sleep(0)
        assert heard.closed == 1
        with pytest.raises(OSError, match="Bad file descriptor"):
            heard.link.send(messages.Reload())

    play(scene)
