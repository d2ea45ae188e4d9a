"""What the real agent shows of RPC, in the words of the clients and servers that know the truth."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from callers import Series, series_of, settled
from loads.load import RpcLoad
from loads.reports import RpcReport
from running import RunningAgent, quiet_but
from servers.rabbitmq_server import RabbitMq

CLIENT, SERVER = "mark-of-the-rpc-client", "mark-of-the-rpc-server"
RULES = (
    "programs:\n"
    f"  - {{name: client, cmdline: '^[^ ]*python[^ ]* .*{CLIENT}'}}\n"
    f"  - {{name: server, cmdline: '^[^ ]*python[^ ]* .*{SERVER}'}}\n"
    "  - {name: hostile, cmdline: '^[^ ]*python[^ ]* .*mark-of-the-hostile'}\n"
)
TOPIC = "compute"


def settings(broker: RabbitMq, *more: str) -> str:
    """Of an agent that traces this broker as `broker`, with `more` lines for other tracers."""
    tracers = ["amqp: {}", "rpc: {patience: 2s}", *more]
    names = [line.partition(":")[0] for line in tracers]
    return f"{RULES}{broker.rule}{quiet_but(*names)}" + "".join(f"  {line}\n" for line in tracers)


class Seen:
    """What a while has added to the agent's series."""

    def __init__(self, before: Series, after: Series) -> None:
        self._change = {key: value - before.get(key, 0) for key, value in after.items()}

    def by(self, by: str, name: str, **labels: str) -> Counter[str]:
        found: Counter[str] = Counter()
        for (sample, pairs), value in self._change.items():
            those = dict(pairs)
            if sample == name and all(those.get(label) == wanted for label, wanted in labels.items()):
                found[those[by]] += round(value)
        return +found

    def calls(self, side: str, **labels: str) -> Counter[str]:
        """Timed ones, by method."""
        return self.by("method", f"scalpels_rpc_{side}_seconds_count", **labels)

    def messages(self, side: str, *kinds: str) -> Counter[str]:
        """Of the program that has the side's name, by method."""
        found: Counter[str] = Counter()
        for kind in kinds:
            found += self.by("method", "scalpels_rpc_messages_total", program=side, side=side, kind=kind)
        return found


class Watched:
    """Begins a while."""

    def __init__(self, agent: RunningAgent) -> None:
        self._agent = agent
        self._before = series_of(agent, "scalpels_")

    def after(self) -> Seen:
        settled(self._agent, "scalpels_rpc")
        return Seen(self._before, series_of(self._agent, "scalpels_"))


@dataclass
class Rpc:
    """A client's process, and servers."""

    client: RpcLoad
    servers: list[RpcLoad]
    where: dict[str, str]

    def run(self, **arguments: object) -> RpcReport:
        return self.client.do("run", **{**self.where, **arguments})

    def served(self) -> Counter[str]:
        """By method, since the last time."""
        found: Counter[str] = Counter()
        for server in self.servers:
            found += server.do("counted").served
        return found


@contextmanager
def rpc(
    broker: RabbitMq,
    mode: str = "threading",
    servers: int = 1,
    exchange: str = "",
    pythons: tuple[str | Path, str | Path] = (sys.executable, sys.executable),
    slow: tuple[float, float] | None = None,
    **options: object,
) -> Iterator[Rpc]:
    """`pythons`: the client's and the server's, each with its oslo.messaging. `slow`: seconds that each of them takes
    for a delivery, whose moments are told then."""
    ours: list[dict[str, float]] = [{"slow": seconds} for seconds in slow] if slow else [{}, {}]
    where = {"topic": exchange or TOPIC, **({"exchange": exchange} if exchange else {})}
    with ExitStack() as stack:
        begun = []
        for number in range(servers):
            server = stack.enter_context(
                RpcLoad("oslo_server", broker.target(), SERVER, [mode], python=pythons[1], **options, **ours[1])
            )
            server.do("serve", **where, name=f"host-{number}")
            begun.append(server)
        client = stack.enter_context(
            RpcLoad("oslo_client", broker.target(), CLIENT, [mode], python=pythons[0], **options, **ours[0])
        )
        yield Rpc(client, begun, where)


def known(agent: RunningAgent, until: Callable[..., object], **processes: int) -> None:
    """Returns when so many processes of each program have their name."""

    def named() -> bool:
        found = {program: agent.value("scalpels_programs_processes", program=program) for program in processes}
        assert found == processes
        return True

    until(named, 30, "the processes have their names")
