"""Whichever system call, address family, process or descriptor bytes go through, they are seen once at each end."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from callers import Series, series_of, settled
from running import RunningAgent, quiet_but
from talking import RULE, message, talker

pytestmark = pytest.mark.root
QUERY = message(b"Q", b"SELECT 1\0").hex()
ANSWER = (message(b"C", b"SELECT 1\0") + message(b"Z", b"I")).hex()
Talk = Callable[..., None]


@pytest.fixture(scope="module")
def agent(kernel_programs: None, agent_of_module: Callable[..., RunningAgent]) -> RunningAgent:
    return agent_of_module(f"programs:\n{RULE}{quiet_but('sql')}  sql: {{}}\n", "sql")


@pytest.fixture
def talk(agent: RunningAgent, until: Callable[..., object]) -> Iterator[Talk]:
    with talker(agent, until) as talk:
        yield talk


def statements(found: Series) -> Counter[str]:
    return Counter(
        {
            dict(labels)["side"]: round(value)
            for (name, labels), value in found.items()
            if name == "scalpels_sql_seconds_count" and ("program", "hostile") in labels
        }
    )


def counted(agent: RunningAgent, talk: Talk, *words: str, times: int = 10) -> Counter[str]:
    before = statements(series_of(agent, "scalpels_sql"))
    for _ in range(times):
        talk(*words)
    return statements(settled(agent, "scalpels_sql")) - before


@pytest.mark.parametrize("read", ["read", "readv", "recvfrom", "recvmsg", "peek"])
@pytest.mark.parametrize("write", ["write", "writev", "sendto", "sendmsg"])
def test_every_system_call(agent: RunningAgent, talk: Talk, write: str, read: str) -> None:
    assert counted(agent, talk, "calls", write, read, QUERY, ANSWER) == Counter(client=10, server=10)


@pytest.mark.parametrize("kind", ["tcp", "tcp6", "pair"])
def test_every_family(agent: RunningAgent, talk: Talk, kind: str) -> None:
    assert counted(agent, talk, kind, *[QUERY, "<" + ANSWER] * 3) == Counter(client=30, server=30)


@pytest.mark.parametrize("kind", ["shared", "passed"])
def test_a_socket_is_one_connection_whoever_holds_it(agent: RunningAgent, talk: Talk, kind: str) -> None:
    assert counted(agent, talk, kind, QUERY, ANSWER) == Counter(client=10, server=10)


def test_a_connection_that_closes_in_between_is_lost_once(agent: RunningAgent, talk: Talk) -> None:
    def lost() -> float:
        name = "scalpels_sql_connections_total"
        labels = {"program": "hostile", "system": "postgresql", "side": "client", "result": "lost"}
        return agent.value(name, **labels) or 0.0

    before = lost()
    for _ in range(5):
        talk("closing", QUERY)
    assert lost() - before == 5


@pytest.mark.parametrize("shift", [0, 1])
def test_a_connection_that_nobody_knew_for_long_is_known_soon_after(
    agent: RunningAgent, talk: Talk, shift: int
) -> None:
    """Question and answer in turn: the looks that are left to it fall on questions too."""
    noise, statements_after = b"\xf0\x9f\xf0\x9f".hex(), 60
    unknown = [noise] * shift + [noise, "<" + noise] * 25
    found = counted(agent, talk, "pair", *unknown, *[QUERY, "<" + ANSWER] * statements_after, times=1)
    assert all(found[side] >= statements_after - 18 for side in ("client", "server")), found


def test_connections_that_lose_their_place_to_others_are_counted(agent: RunningAgent, talk: Talk) -> None:
    """The ends of Unix sockets, which nothing tells: they keep their places until others want them."""

    def ever() -> float:
        return agent.value("scalpels_wire_connections_total") or 0.0

    assert agent.value("scalpels_wire_forgotten_connections_total") == 0
    before = ever()
    talk("many", "10000")
    forgotten = agent.value("scalpels_wire_forgotten_connections_total")
    spare = 2 * 128 * (os.cpu_count() or 1)  # which the kernel keeps ready for each CPU
    assert ever() - before >= 20_000  # other named programs have sockets too
    assert 20_000 - 16_384 <= forgotten <= ever() - 16_384 + spare
