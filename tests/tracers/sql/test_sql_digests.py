"""Statements by digest: the real agent's counts equal the clients' and the servers', and no literal is anywhere."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from callers import Series, lost, series_of, settled
from kernel_maps import raw_maps
from loads.load import SqlLoad
from loads.statements import CANARY, CANARY_NUMBER, CANARY_TEXTS
from plain_reading import read
from running import ROOT, RunningAgent, quiet_but
from servers.mariadb_server import MariaDb
from servers.postgresql_server import PostgreSql
from sql_truth import MARK, RULES, known_load
from talking import message, packet, talker

pytestmark = [pytest.mark.root, pytest.mark.server]
SETTINGS = f"{RULES}{quiet_but('sql')}  sql: {{digests: 100}}\n"
TURNS, CONNECTIONS = 30, 2
CLIENTS = [
    ("pymysql", ""),
    ("connector", ""),
    *[("psycopg", mode) for mode in ("simple", "extended", "prepared")],
    *[("asyncpg", mode) for mode in ("simple", "extended", "unnamed")],
]


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, MariaDb | PostgreSql]]:
    with MariaDb() as mariadb, PostgreSql() as postgresql:
        yield {"mysql": mariadb, "postgresql": postgresql}


@pytest.fixture(scope="module")
def agent(kernel_programs: None, agent_of_module: Callable[..., RunningAgent]) -> RunningAgent:
    return agent_of_module(SETTINGS, "sql")


def texts(found: Series) -> dict[str, str]:
    return {
        dict(labels)["digest"]: dict(labels)["text"] for name, labels in found if name == "scalpels_sql_digest_info"
    }


def gained(before: Series, after: Series, what: str, **labels: str) -> Counter[str]:
    """By the text of the digest."""
    known = {**texts(before), **texts(after)}
    found: Counter[str] = Counter()
    for sign, series in ((1, after), (-1, before)):
        for (name, pairs), value in series.items():
            those = dict(pairs)
            if name == f"scalpels_sql_digest_{what}_total" and labels.items() <= those.items():
                found[known.get(those["digest"], those["digest"])] += sign * round(value)
    return Counter({text: number for text, number in found.items() if number})


def assert_no_canary(where: str, raw: bytes) -> None:
    for canary in (CANARY, str(CANARY_NUMBER)):
        assert canary.encode() not in raw, f"{canary} is in {where}"


@pytest.mark.parametrize(("client", "mode"), CLIENTS)
def test_statements_are_counted_by_their_digests_and_no_literal_is_told(
    servers: dict[str, Any], agent: RunningAgent, until: Callable[..., object], client: str, mode: str
) -> None:
    system = "mysql" if client in ("pymysql", "connector") else "postgresql"
    server = servers[system]
    options = {"mode": mode} if mode else {}
    with known_load(client, server.target(), agent, until, **options) as load:
        load.do("connect", count=CONNECTIONS)
        before = settled(agent, "scalpels_sql")
        many = TURNS * CONNECTIONS * len(CANARY_TEXTS)
        report = load.do("run", mix="canaries", count=many, prepares=client != "pymysql")
        after = settled(agent, "scalpels_sql")
        assert report.unexpected == []
        for side, program in (("client", "load"), ("server", {"mysql": "mariadbd"}.get(system, "postgres"))):
            labels = {"side": side, "program": program}
            seen = gained(before, after, "statements", **labels)
            own = seen.pop("other", 0)  # the protocol's commands
            assert seen == Counter(dict.fromkeys(CANARY_TEXTS, TURNS * CONNECTIONS))
            failed = gained(before, after, "errors", **labels)
            assert failed == Counter({text: TURNS * CONNECTIONS for text, fails in CANARY_TEXTS.items() if fails})
            verbs = sum(
                value - before.get(key, 0)
                for key, value in after.items()
                if key[0] == "scalpels_sql_seconds_count" and labels.items() <= dict(key[1]).items()
            )
            assert own + seen.total() == verbs
    assert_no_canary("/metrics", agent.get().content)
    assert_no_canary("the log", agent.log.read_bytes())
    maps = raw_maps(agent.tracer("wire")["pid"], "sql_")
    assert {"sql_texts", "sql_digests", "sql_reader", "sql_readings", "sql_told", "sql_known"} <= maps.keys()
    assert all(
        text.rstrip("…").encode() in maps["sql_texts"] for text in CANARY_TEXTS
    )  # so it is looked at all there is
    for name, raw in maps.items():
        assert_no_canary(name, raw)
    assert lost(agent) == {}


def test_a_postgresql_counts_the_same(
    servers: dict[str, Any], agent: RunningAgent, until: Callable[..., object]
) -> None:
    server = servers["postgresql"]
    with known_load("psycopg", server.target(), agent, until) as load:
        load.do("connect", count=CONNECTIONS)
        with server.counting() as counts:
            before = settled(agent, "scalpels_sql")
            load.do("run", mix="canaries", count=TURNS * CONNECTIONS * len(CANARY_TEXTS))
            after = settled(agent, "scalpels_sql")
    seen = gained(before, after, "statements", program="postgres", side="server")
    failed = gained(before, after, "errors", program="postgres", side="server")
    rows = gained(before, after, "rows", program="postgres", side="server")
    truth, truth_rows = Counter[str](), Counter[str]()
    for (_, text), times in counts.calls.items():
        left = read(text, "postgresql")[0][0]
        left = next(
            (known for known in CANARY_TEXTS if known.rstrip("…)") in left), left
        )  # its text has no long literal
        truth[left] += times
        truth_rows[left] += counts.rows[_, text]
    assert seen - failed == truth
    assert rows == +truth_rows


def test_once_tells_no_literal(servers: dict[str, Any], kernel_programs: None, tmp_path: Path) -> None:
    config = tmp_path / "scalpels.yaml"
    config.write_text(f"{RULES}tracers:\n  sql: {{digests: 10}}\n")
    command = [sys.executable, "-m", "scalpels_exporter", "once", "sql", "--wait", "60s", "--for", "2s"]
    with (
        SqlLoad("pymysql", servers["mysql"].target(), MARK) as load,
        subprocess.Popen(
            [*command, "--config.file", str(config)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT
        ) as once,
    ):
        while once.poll() is None:  # a new connection each time: it is recognised at once
            load.do("connect", count=1)
            load.do("run", mix="canaries", count=2 * len(CANARY_TEXTS), prepares=False)
            load.do("close")
        assert once.stdout is not None
        said = once.stdout.read()
    assert once.returncode == 0, said
    assert b"select" in said
    assert_no_canary("what once says", said)


def query(system: str, text: str) -> tuple[bytes, bytes]:
    if system == "mysql":
        return packet(b"\3" + text.encode()), packet(b"\0\1\0\2\0\0\0", 1)
    ready = message(b"C", b"SELECT 1\0") + message(b"Z", b"I")
    return message(b"Q", text.encode() + b"\0"), ready


@pytest.mark.parametrize("system", ["mysql", "postgresql"])
def test_a_text_that_comes_in_pieces_has_the_digest_of_the_whole(
    agent: RunningAgent, until: Callable[..., object], system: str
) -> None:
    moments = random.Random(19)
    literal = f"it''s {CANARY}, \"{CANARY}\" -- "
    sizes = (0, 1, 20, 300, 1500, 3000, 40_000)
    exchange = []
    for size in sizes * 4:
        text = f"SELECT a FROM t WHERE b = '{literal + 'x' * size}' AND c IN ({CANARY_NUMBER}, 2)"
        question, answer = query(system, text)
        exchange += [part.hex() for part in parts(question, moments)] + ["<" + answer.hex()]
    with talker(agent, until) as talk:
        before = settled(agent, "scalpels_sql")
        first, answer = query(system, "SELECT 1")  # by which it is recognised
        talk("tcp", first.hex(), "<" + answer.hex(), *exchange)
        after = settled(agent, "scalpels_sql")
    for side in ("client", "server"):
        seen = gained(before, after, "statements", program="hostile", side=side, system=system)
        assert seen == Counter(
            {
                "select ?": 1,
                "select a from t where b = ? and c in (?)": 5 * 4,
                "select a from t where b = ?…": 2 * 4,
            }
        )
    assert lost(agent) == {}


def parts(data: bytes, moments: random.Random) -> Iterator[bytes]:
    """A head of its own first, as some servers read it, or anything."""
    while data:
        some = moments.choice((1, 3, 4, 5, 20, 70, 1000, 30_000))
        yield data[:some]
        data = data[some:]


def test_several_statements_of_postgresql_in_one_text_have_digests_of_their_own(
    agent: RunningAgent, until: Callable[..., object]
) -> None:
    question = message(b"Q", b"SELECT 1; UPDATE x SET a = ';' ; DELETE FROM y WHERE z = 3;\0")
    done = message(b"C", b"SELECT 1\0") + message(b"C", b"UPDATE 3\0") + message(b"C", b"DELETE 1\0")
    failed = message(b"C", b"SELECT 1\0") + message(b"E", b"SERROR\0VERROR\0C42P01\0\0")
    ready = message(b"Z", b"I")
    with talker(agent, until) as talk:
        before = settled(agent, "scalpels_sql")
        talk("pair", *[question.hex(), "<" + (done + ready).hex(), question.hex(), "<" + (failed + ready).hex()] * 5)
        after = settled(agent, "scalpels_sql")
    one, two, three = "select ?", "update x set a = ?", "delete from y where z = ?"
    for side in ("client", "server"):
        labels = {"program": "hostile", "side": side}
        assert gained(before, after, "statements", **labels) == Counter({one: 10, two: 10, three: 5})
        assert gained(before, after, "errors", **labels) == Counter({two: 5})
        assert gained(before, after, "rows", **labels) == Counter({one: 10, two: 15, three: 5})


def test_a_pipeline_deeper_than_can_be_read_loses_digests_and_no_statement(
    servers: dict[str, Any], kernel_programs: None, agent: RunningAgent, until: Callable[..., object]
) -> None:
    with known_load("psycopg", servers["postgresql"].target(), agent, until, mode="pipeline", depth=30) as load:
        load.do("connect", count=1)
        before, lost_before = settled(agent, "scalpels_sql"), lost(agent)
        load.do("run", mix="plain", count=600)
        after, lost_after = settled(agent, "scalpels_sql"), lost(agent)
    for side, program in (("client", "load"), ("server", "postgres")):
        seen = gained(before, after, "statements", program=program, side=side)
        assert seen.keys() <= {"select ?", "other"}
        assert seen.total() == 600
    assert set(lost_after) <= {"sql undigested", *lost_before}


def test_more_digests_than_there_is_room_for_are_others_and_counted_as_lost(
    kernel_programs: None, start_agent: Callable[..., RunningAgent], until: Callable[..., object]
) -> None:
    agent = start_agent(f"{RULES}{quiet_but('sql')}  sql: {{digests: 3}}\n")
    until(lambda: agent.value("scalpels_worker_up", tracer="sql") == 1, 60, "sql is up")
    room, many = 4096, 4500
    exchange = []
    for n in range(many):
        question, answer = query("mysql", f"SELECT a{n}")
        exchange += [question.hex(), "<" + answer.hex()]
    with talker(agent, until) as talk:
        talk("pair", *exchange)
        after = settled(agent, "scalpels_sql")
    for side in ("client", "server"):
        seen = gained({}, after, "statements", program="hostile", side=side)
        assert len(seen) <= 4
        assert seen.total() == many
    assert lost(agent)["sql undigested"] >= many - room
    assert len(texts(series_of(agent, "scalpels_sql"))) == 3
