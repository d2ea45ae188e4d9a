"""When messages with the id of a call leave a process and come to it, as py-amqp knows it: the broker's time between.

Must be made before the first connection is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from time import monotonic_ns, sleep
from typing import Any

_ID = re.compile(rb'_msg_id\\": \\"([0-9a-f]{32})')  # a text within a text


def id_of(message: Any) -> str:
    """Empty for a cast."""
    body = message.body
    found = _ID.search(body if isinstance(body, bytes) else body.encode())
    return found[1].decode() if found else ""


class Moments:
    """Nanoseconds of the monotonic clock by the id: the publish has returned, the delivery has been read."""

    def __init__(self, slow: float) -> None:
        """Each delivery takes its reader `slow` seconds more."""
        from amqp.channel import Channel

        self._slow = slow
        self._left: dict[str, int] = {}
        self._came: dict[str, int] = {}
        publish, deliver = Channel._basic_publish, Channel._on_basic_deliver
        Channel._basic_publish = Channel.basic_publish = self._published(publish)
        Channel._on_basic_deliver = self._delivered(deliver)

    def told(self) -> dict[str, Any]:
        """And forgotten."""
        found = {"left": self._left, "came": self._came}
        self._left, self._came = {}, {}
        return found

    def _published(self, publish: Callable[..., Any]) -> Callable[..., Any]:
        def run(channel: Any, message: Any, *arguments: Any, **more: Any) -> Any:
            done = publish(channel, message, *arguments, **more)
            self._left.setdefault(id_of(message), monotonic_ns())
            return done

        return run

    def _delivered(self, deliver: Callable[..., Any]) -> Callable[..., Any]:
        def run(channel: Any, *arguments: Any) -> Any:
            self._came.setdefault(id_of(arguments[-1]), monotonic_ns())
            sleep(self._slow)
            return deliver(channel, *arguments)

        return run
