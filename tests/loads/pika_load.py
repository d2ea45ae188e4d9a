"""Messages through pika, in one thread.

exchange  {exchange, queue, count, sizes, confirm}   publishes so many, then consumes them all and acknowledges at once
unrouted  {exchange, count}                          publishes, mandatory, what no queue takes
hold      {queue, count, answered, several, free}    publishes and gets so many, answers some: one by one or at once,
                                                     of `free` ones none; keeps its channel open
let_go    {}                                         closes these channels
refused   {queue}                                    declares a queue otherwise than it is: its channel is closed
"""

from __future__ import annotations

from collections import Counter
from itertools import cycle, islice
from typing import Any

import pika
from pika.exceptions import ChannelClosedByBroker, UnroutableError

from loads.jobs import serve

PERSISTENT = pika.BasicProperties(content_type="application/octet-stream", headers={"a": "b"})


class Pika:
    def use(self, target: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
        login = pika.PlainCredentials(target["user"], target["password"])
        where = pika.ConnectionParameters(target["host"], target["port"], target["database"], login)
        self._connection = pika.BlockingConnection(where)
        self._held: list[Any] = []
        return {}

    def exchange(
        self, exchange: str, queue: str, count: int, sizes: tuple[int, ...], confirm: bool = False
    ) -> dict[str, Any]:
        channel = self._connection.channel()
        channel.queue_declare(queue)
        if exchange:
            channel.exchange_declare(exchange, "fanout")
            channel.queue_bind(queue, exchange)
        if confirm:
            channel.confirm_delivery()
        moved = 0
        for size in islice(cycle(sizes), count):
            channel.basic_publish(exchange, queue, b"m" * size, PERSISTENT)
            moved += size
        got = 0
        for place, (method, _, body) in enumerate(channel.consume(queue), 1):
            got += len(body)
            if place == count:
                channel.basic_ack(method.delivery_tag, multiple=True)
                break
        channel.cancel()
        channel.close()
        return {"messages": Counter(publish=count, deliver=count, ack=1), "bytes": Counter(publish=moved, deliver=got)}

    def unrouted(self, exchange: str, count: int) -> dict[str, Any]:
        channel = self._connection.channel()
        channel.exchange_declare(exchange, "fanout")
        channel.confirm_delivery()
        returned = 0
        for _ in range(count):
            try:
                channel.basic_publish(exchange, "nowhere", b"m" * 100, mandatory=True)
            except UnroutableError:
                returned += 1
        channel.close()
        return {"messages": Counter({"publish": count, "return": returned}), "bytes": Counter(publish=100 * count)}

    def hold(
        self, queue: str, count: int, answered: int = 0, *, several: bool = False, free: bool = False
    ) -> dict[str, Any]:
        channel = self._connection.channel()
        channel.queue_declare(queue)
        for _ in range(count):
            channel.basic_publish("", queue, b"m" * 50, PERSISTENT)
        for place, (method, _, _) in enumerate(channel.consume(queue, auto_ack=free), 1):
            if place <= answered and not several:
                answer = channel.basic_ack if place % 3 else channel.basic_reject
                answer(method.delivery_tag, **({} if place % 3 else {"requeue": False}))
            elif place == answered:
                channel.basic_ack(method.delivery_tag, multiple=True)
            if place == count:
                break
        self._held.append(channel)
        return {}

    def let_go(self) -> dict[str, Any]:
        for channel in self._held:
            channel.close()
        self._held.clear()
        return {}

    def refused(self, queue: str) -> dict[str, Any]:
        channel = self._connection.channel()
        channel.queue_declare(queue)
        try:
            channel.queue_declare(queue, durable=True)
        except ChannelClosedByBroker as error:
            return {"codes": Counter({str(error.reply_code): 1})}
        return {}


if __name__ == "__main__":
    one = Pika()
    serve({job.__name__: job for job in (one.use, one.exchange, one.unrouted, one.hold, one.let_go, one.refused)})
