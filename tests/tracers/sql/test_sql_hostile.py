"""Whatever bytes named programs exchange, nothing of their neighbours is lost, and nothing is made up."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest
from callers import lost
from running import RunningAgent
from servers.mariadb_server import MariaDb
from sql_truth import SETTINGS, Watched, known_load
from talking import message, packet, talker

pytestmark = [pytest.mark.root, pytest.mark.server]


def split(data: bytes, moments: random.Random) -> list[str]:
    """The same bytes in several sends."""
    pieces = []
    while data:
        some = moments.choice((1, 1, 2, 3, 5, 20, 1000))
        pieces.append(data[:some].hex())
        data = data[some:]
    return pieces


@pytest.fixture(scope="module")
def agent(kernel_programs: None, agent_of_module: Callable[..., RunningAgent]) -> RunningAgent:
    return agent_of_module(SETTINGS, "sql")


def test_garbage_hurts_no_neighbour_and_is_no_statement(agent: RunningAgent, until: Callable[..., object]) -> None:
    moments = random.Random(71)
    with (
        MariaDb() as server,
        known_load("pymysql", server.target(), agent, until) as load,
        talker(agent, until) as talk,
    ):
        load.do("connect", count=2)
        watched = Watched(agent)
        load.say("run", mix="plain", count=5000)
        for _ in range(300):
            sizes = [moments.choice((1, 3, 4, 5, 17, 64, 65, 700)) for _ in range(6)]
            talk(moments.choice(("tcp", "pair")), *(moments.randbytes(size).hex() for size in sizes))
        report = load.hear()
        seen = watched.after()
        assert seen.verbs("load", "client") == report.statements == Counter(SELECT=5000)
        # Of random bytes one connection in many may look like a command; it is never more than a few.
        assert seen.verbs("hostile", "client").total() + seen.verbs("hostile", "server").total() <= 3
        assert agent.value("scalpels_worker_up", tracer="sql") == 1


@pytest.mark.parametrize("seed", range(5))
def test_messages_split_anywhere_are_counted_once(agent: RunningAgent, until: Callable[..., object], seed: int) -> None:
    moments = random.Random(seed)
    greeting = packet(b"\x0a10.11.6-MariaDB\0" + bytes(60))
    login = packet(bytes(4) + bytes(60), 1)
    ok = packet(b"\0\0\0\2\0\0\0", 1)
    startup = (8 + 12).to_bytes(4, "big") + (196608).to_bytes(4, "big") + b"user\0x\0\0\0\0\0\0"
    ready = message(b"Z", b"I")
    with talker(agent, until) as talk:
        watched = Watched(agent)
        exchange = ["<" + greeting.hex(), login.hex(), "<" + packet(b"\0\0\0\2\0\0\0", 2).hex()]
        for _ in range(20):
            text = (
                b"\3" + moments.choice((b"SELECT 1", b"/* a */ SELECT 2")) + b"x" * moments.choice((0, 9, 200, 70_000))
            )
            exchange += split(packet(text), moments) + ["<" + piece for piece in split(ok, moments)]
        talk("tcp", *exchange)
        exchange = [startup.hex(), "<" + (message(b"R", bytes(4)) + ready).hex()]
        for _ in range(20):
            text = message(b"Q", b"UPDATE x" + b"y" * moments.choice((0, 9, 200, 70_000)) + b"\0")
            answer = message(b"C", b"UPDATE 3\0") + ready
            exchange += split(text, moments) + ["<" + piece for piece in split(answer, moments)]
        talk("pair", *exchange)
        seen = watched.after()
    for side in ("client", "server"):
        found = seen.verbs("hostile", side)
        assert found["SELECT"] + found["OTHER"] == 20  # a verb behind a comment is found where it comes in one piece
        assert found["UPDATE"] == 20
        opened = seen.gained("scalpels_sql_connections_total", "result", program="hostile", side=side)
        assert opened == Counter(OPENED=2)
    assert lost(agent) == {}


def test_what_loses_its_way_is_counted_and_found_again(agent: RunningAgent, until: Callable[..., object]) -> None:
    query = message(b"Q", b"SELECT 1\0")
    answer = message(b"C", b"SELECT 1\0") + message(b"Z", b"I")
    with talker(agent, until) as talk:
        watched = Watched(agent)
        talk(
            "tcp",
            query.hex(),
            "<" + answer.hex(),
            "<" + b"\xff\xff\xff\xff\xff\xff".hex(),
            query.hex(),
            "<" + answer.hex(),
        )
        seen = watched.after()
    assert lost(agent) == {"wire sync": 1.0 + 1.0}  # at both ends
    assert seen.verbs("hostile", "client") == Counter(SELECT=2)
