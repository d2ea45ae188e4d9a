"""The agent proper's end of the socket to the spawner: orders out, answers in. Keeps no state about workers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from scalpels_exporter.spawn import messages

MOST_DESCRIPTORS = 3

Answer = Callable[[list[str], list[int]], None]  # the words of a message and the file descriptors that came with it


class Link:
    """Calls `on_answer` for each message and `on_close` when the spawner is gone. Non-blocking."""

    def __init__(self, sock: socket.socket, on_answer: Answer, on_close: Callable[[], None]) -> None:
        self._socket = sock
        self._on_answer = on_answer
        self._on_close = on_close

    def open(self) -> None:
        self._socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def send(self, order: messages.Order) -> None:
        """Raises BlockingIOError when the spawner does not read; it always does unless it is stopped."""
        self._socket.send(messages.encode(order))

    def close(self) -> None:
        """The spawner then ends every worker and itself."""
        if self._socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()

    def _read(self) -> None:
        try:
            packet, descriptors, _, _ = socket.recv_fds(self._socket, messages.LIMIT, MOST_DESCRIPTORS)
        except BlockingIOError:
            return
        except ConnectionError:
            packet, descriptors = b"", []
        if not packet:
            self.close()
            self._on_close()
            return
        self._on_answer(messages.split(packet), list(descriptors))
