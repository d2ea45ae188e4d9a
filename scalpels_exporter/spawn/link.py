"""The agent proper's end of the socket to the spawner: orders out, answers in. Keeps no state about workers."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable

from scalpels_exporter.spawn import messages

MOST_DESCRIPTORS = 3
MOST_WAITING = 4096  # orders that the spawner has not taken yet

Answer = Callable[[list[str], list[int]], None]  # the words of a message and the file descriptors that came with it


class Link:
    """Calls `on_answer` for each message and `on_close` when the spawner is gone. Non-blocking.

    Whoever gets descriptors owns them. They come all or none: what the limit of open files cut short is closed here.
    """

    def __init__(self, sock: socket.socket, on_answer: Answer, on_close: Callable[[], None]) -> None:
        self._socket = sock
        self._on_answer = on_answer
        self._on_close = on_close
        self._waiting: deque[bytes] = deque()

    def open(self) -> None:
        self._socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def send(self, order: messages.Order) -> None:
        """In order, and later when the spawner is slow. Raises OSError when it is gone or stopped for long."""
        packet = messages.encode(order)
        if not self._waiting:
            try:
                self._socket.send(packet)
                return
            except BlockingIOError:
                asyncio.get_running_loop().add_writer(self._socket, self._write)
        if len(self._waiting) >= MOST_WAITING:
            raise BlockingIOError(f"{MOST_WAITING} orders wait for it")
        self._waiting.append(packet)

    def close(self) -> None:
        """The spawner then ends every worker and itself."""
        self._waiting.clear()
        if self._socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._socket)
            asyncio.get_running_loop().remove_writer(self._socket)
            self._socket.close()

    def _write(self) -> None:
        try:
            while self._waiting:
                self._socket.send(self._waiting[0])
                self._waiting.popleft()
        except BlockingIOError:
            return
        except ConnectionError:
            self._waiting.clear()  # it is gone; the reader says so
        asyncio.get_running_loop().remove_writer(self._socket)

    def _read(self) -> None:
        try:
            packet, received, flags, _ = socket.recv_fds(self._socket, messages.LIMIT, MOST_DESCRIPTORS)
        except BlockingIOError:
            return
        except ConnectionError:
            packet, received, flags = b"", [], 0
        if not packet:
            self.close()
            self._on_close()
            return
        descriptors = list(received)
        if flags & socket.MSG_CTRUNC:
            for descriptor in descriptors:
                os.close(descriptor)
            descriptors = []
        self._on_answer(messages.split(packet), descriptors)
