"""What the real agent shows of AMQP, gained in a while."""

from __future__ import annotations

from collections import Counter

from callers import Series, series_of, settled
from running import RunningAgent, quiet_but
from servers.rabbitmq_server import RabbitMq

MARK = "mark-of-the-amqp-load"
RULES = (
    "programs:\n"
    f"  - {{name: load, cmdline: '^[^ ]*python[^ ]* .*{MARK}'}}\n"
    "  - {name: hostile, cmdline: '^[^ ]*python[^ ]* .*mark-of-the-hostile'}\n"
)


def settings(broker: RabbitMq) -> str:
    """Of an agent that traces this broker as `broker`."""
    return f"{RULES}{broker.rule}{quiet_but('amqp', 'rpc')}  amqp: {{}}\n  rpc: {{}}\n"


class Watched:
    """Begins a while; `after` ends it."""

    def __init__(self, agent: RunningAgent) -> None:
        self._agent = agent
        self._before = series_of(agent, "scalpels_")
        self._after: Series = {}

    def after(self) -> Watched:
        settled(self._agent, "scalpels_amqp")
        self._after = series_of(self._agent, "scalpels_")
        return self

    def by(self, by: str, name: str, **labels: str) -> Counter[str]:
        found: Counter[str] = Counter()
        for key, value in self._after.items():
            sample, pairs = key
            those = dict(pairs)
            if sample == name and all(those.get(label) == wanted for label, wanted in labels.items()):
                found[those[by]] += round(value - self._before.get(key, 0))
        return +found

    def messages(self, program: str, *methods: str, **labels: str) -> Counter[str]:
        """By method; all where none is named."""
        found = self.by("method", "scalpels_amqp_messages_total", program=program, **labels)
        return Counter({method: many for method, many in found.items() if not methods or method in methods})

    def bytes(self, program: str, **labels: str) -> Counter[str]:
        return self.by("method", "scalpels_amqp_message_bytes_total", program=program, **labels)

    def lost(self) -> Counter[str]:
        return self.by("reason", "scalpels_tracer_lost_total")
