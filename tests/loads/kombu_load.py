"""Messages through kombu, in one thread.

exchange  {exchange, queue, count, sizes}   publishes so many, then gets them one by one: each is refused once, so it
                                            comes again, and then acknowledged
"""

from __future__ import annotations

from collections import Counter
from itertools import cycle, islice
from typing import Any

import kombu

from loads.jobs import serve


class Kombu:
    def use(self, target: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
        url = f"amqp://{target['user']}:{target['password']}@{target['host']}:{target['port']}/{target['database']}"
        self._connection = kombu.Connection(url)
        self._connection.connect()
        return {}

    def exchange(self, exchange: str, queue: str, count: int, sizes: tuple[int, ...]) -> dict[str, Any]:
        channel = self._connection.channel()
        where = kombu.Exchange(exchange, "direct", durable=False, auto_delete=True)
        bound = kombu.Queue(queue, where, routing_key="key", durable=False, auto_delete=True)
        bound(channel).declare()
        producer = kombu.Producer(channel, where)
        moved = got = 0
        for size in islice(cycle(sizes), count):
            producer.publish(b"k" * size, routing_key="key", content_type="application/data", content_encoding="binary")
            moved += size
        again: Counter[bool] = Counter()

        def take(message: kombu.Message) -> None:
            nonlocal got
            got += len(message.body)
            redelivered = bool(message.delivery_info["redelivered"])
            again[redelivered] += 1
            if redelivered:
                message.ack()
            else:
                message.requeue()

        with kombu.Consumer(channel, [bound], on_message=take, prefetch_count=1):
            while again[True] < count:
                self._connection.drain_events(timeout=20)
        channel.close()
        delivered = again.total()
        return {
            "messages": Counter(publish=count, deliver=delivered, reject=again[False], ack=again[True]),
            "bytes": Counter(publish=moved, deliver=got),
            "redelivered": again[True],
        }


if __name__ == "__main__":
    one = Kombu()
    serve({job.__name__: job for job in (one.use, one.exchange)})
