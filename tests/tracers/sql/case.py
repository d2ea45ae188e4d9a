"""A little SQL over socket pairs, and what the tracer must show of it under every kernel (tests/kernels)."""

import socket
from typing import Any

PARAMETERS: dict[str, Any] = {"digests": 50}


def packet(payload: bytes, number: int = 0) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


def message(kind: bytes, payload: bytes) -> bytes:
    return kind + (len(payload) + 4).to_bytes(4, "big") + payload


def exchange(*pairs: tuple[bytes, bytes]) -> None:
    """The first of a pair goes to the server; nothing where the server speaks first, or does not answer."""
    client, server = socket.socketpair()
    for question, answer in pairs:
        if question:
            client.sendall(question)
            server.recv(100_000)
        if answer:
            server.sendmsg([answer[:2], answer[2:]])
            client.recv(100_000)
    client.close()
    server.close()


def login(flags: int = 0) -> bytes:
    return packet(flags.to_bytes(4, "little") + bytes(28), 1)


Pairs = list[tuple[bytes, bytes]]


def mysql() -> Pairs:
    done, within = packet(b"\0\1\0\2\0\0\0", 1), packet(b"\0\0\0\3\0\0\0", 1)
    failed = packet(b"\xff\x7a\x04#42S02no such table", 1)
    return [
        (b"", GREETING),
        (login(), packet(b"\0\0\0\2\0\0\0", 2)),
        *[(packet(b"\3SELECT 1"), done)] * 10,
        *[(packet(b"\3/* why */ UPDATE x SET y = 1"), done)] * 5,
        *[(packet(b"\3SELECT nothing"), failed)] * 3,
        (packet(b"\3BEGIN"), within),
        (packet(b"\3COMMIT"), done),
    ]


def postgresql() -> Pairs:
    ready, within = message(b"Z", b"I"), message(b"Z", b"T")
    prepared = message(b"P", b"\0WITH x AS (SELECT 1) INSERT INTO y SELECT 2\0\0\0") + message(b"B", bytes(8))
    prepared += message(b"E", bytes(5)) + message(b"S", b"")
    answer = message(b"1", b"") + message(b"2", b"") + message(b"C", b"INSERT 0 7\0") + ready
    startup = (8 + 8).to_bytes(4, "big") + (196608).to_bytes(4, "big") + b"user\0x\0\0"
    return [
        (startup, message(b"R", bytes(4)) + ready),
        *[(message(b"Q", b"SELECT 1\0"), message(b"D", bytes(20)) * 200 + message(b"C", b"SELECT 200\0") + ready)] * 10,
        *[(prepared, answer)] * 4,
        (message(b"Q", b"DELETE FROM z\0"), message(b"E", b"SERROR\0VERROR\0C42P01\0\0") + ready),
        (message(b"Q", b"BEGIN\0"), message(b"C", b"BEGIN\0") + within),
        (message(b"Q", b"ROLLBACK\0"), message(b"C", b"ROLLBACK\0") + ready),
    ]


GREETING = packet(b"\x0a10.11.6-MariaDB\0" + bytes(60))
ENCRYPTED: Pairs = [(b"", GREETING), (login(0x800), b"")]
EXCHANGES = {"mysql": [mysql(), ENCRYPTED], "postgresql": [postgresql()]}


def work() -> None:
    for exchanges in EXCHANGES.values():
        for pairs in exchanges:
            exchange(*pairs)


def moved(system: str, place: int) -> int:
    """Bytes of all questions (0) or answers (1)."""
    return sum(len(pair[place]) for pairs in EXCHANGES[system] for pair in pairs)


STATEMENTS = {
    ("mysql", "select"): 13,
    ("mysql", "update"): 5,
    ("mysql", "begin"): 1,
    ("mysql", "commit"): 1,
    ("postgresql", "select"): 10,
    ("postgresql", "insert"): 4,
    ("postgresql", "delete"): 1,
    ("postgresql", "begin"): 1,
    ("postgresql", "rollback"): 1,
}
# What is left of their texts: statements, rows, errors.
DIGESTS = {
    ("mysql", "select ?"): (10, 10, 0),
    ("mysql", "select nothing"): (3, 0, 3),
    ("mysql", "update x set y = ?"): (5, 5, 0),
    ("mysql", "begin"): (1, 0, 0),
    ("mysql", "commit"): (1, 1, 0),
    ("postgresql", "select ?"): (10, 2000, 0),
    ("postgresql", "with x as (select ?) insert into y select ?"): (4, 28, 0),
    ("postgresql", "delete from z"): (1, 0, 1),
    ("postgresql", "begin"): (1, 0, 0),
    ("postgresql", "rollback"): (1, 0, 0),
}


def digest(text: str) -> str:
    """FNV-1a."""
    found = 0xCBF29CE484222325
    for byte in text.encode():
        found = (found ^ byte) * 0x100000001B3 % (1 << 64)
    return f"{found:016x}"


COUNTS = {
    **{
        f'scalpels_sql_digest_{what}_total{{side="{side}",system="{system}",digest="{digest(text)}"}}': count
        for side in ("client", "server")
        for (system, text), counts in DIGESTS.items()
        for what, count in zip(("statements", "rows", "errors"), counts, strict=True)
    },
    **{
        f'scalpels_sql_{name}_count{{side="{side}",system="{system}",verb="{verb}"}}': count
        for side in ("client", "server")
        for name in ("seconds", "complete_seconds")
        for (system, verb), count in STATEMENTS.items()
    },
    **{
        f'scalpels_sql_{direction}_bytes_total{{side="{side}",system="{system}"}}': moved(system, place)
        for side, directions in (("client", ("sent", "received")), ("server", ("received", "sent")))
        for place, direction in enumerate(directions)
        for system in EXCHANGES
    },
    **{
        f'scalpels_sql_{name}{{side="{side}",system="{system}",{labels}}}': count
        for side in ("client", "server")
        for name, system, labels, count in (
            ("rows_total", "mysql", 'verb="select"', 10),
            ("rows_total", "mysql", 'verb="update"', 5),
            ("rows_total", "mysql", 'verb="commit"', 1),
            ("rows_total", "postgresql", 'verb="select"', 2000),
            ("rows_total", "postgresql", 'verb="insert"', 28),
            ("errors_total", "mysql", 'verb="select",code="1146"', 3),
            ("errors_total", "postgresql", 'verb="delete",code="42P01"', 1),
            ("connections_total", "mysql", 'result="opened"', 1),
            ("connections_total", "postgresql", 'result="opened"', 1),
            ("transaction_seconds_count", "mysql", 'outcome="committed"', 1),
            ("transaction_seconds_count", "postgresql", 'outcome="rolled_back"', 1),
            ("unreadable_connections_total", "mysql", 'reason="tls"', 1),
        )
    },
}
