"""SQL on the wire: which program runs which verbs, how fast, and what fails; MySQL, MariaDB and PostgreSQL, both ends.

What cannot be seen without it, in services that are left as they are: whether the database is slow or its client, the
verb that became slow after an upgrade, errors that an application hides, transactions that are held open for long.

Both ends are followed where they are named: `side` is the program's own. A statement's time goes from the last byte of
its request to the first byte of its answer; what the server's own counters know is counted as they count it.
MySQL: each command that has an answer is one; one that holds several statements (`SELECT 1; SELECT 2`) counts once.
A statement is prepared as `prepare`, and executed under its own verb (`execute` where it was prepared before the
tracer began). An error after the first row is not seen.
PostgreSQL: each CommandComplete is a statement, so several in one query and pipelined ones count one by one; each Fetch
of a server-side cursor is one.

With `digests`, statements are counted by their texts too, from which the kernel has taken every literal before anybody
gets them. A text that can be read in two ways, or is longer than 2 kB, is cut (…): docs/decisions/0019.
"""

import struct
import time
from collections import defaultdict
from collections.abc import Sequence

from scalpels_exporter.declare import (
    Count,
    Counter,
    Distribution,
    Exponential,
    Field,
    Histogram,
    Info,
    Kernel,
    Parameter,
    Parser,
    Sample,
    Summary,
    Table,
    Tracer,
)
from scalpels_exporter.leaders import Leaders

SYSTEMS = ("mysql", "postgresql")
SIDES = ("other", "client", "server")
VERBS = (
    *("other", "select", "insert", "update", "delete", "replace", "begin", "commit", "rollback", "set", "show", "use"),
    *(
        "call",
        "prepare",
        "execute",
        "fetch",
        "declare",
        "close",
        "deallocate",
        "copy",
        "load",
        "create",
        "alter",
        "drop",
    ),
    *("truncate", "lock", "unlock", "savepoint", "release", "explain", "analyze", "merge", "grant", "revoke"),
    *("do", "vacuum", "listen", "notify", "discard", "ping"),
)

CONNECTION = (Field("program", "I", "program"), Field("system", "B", "choice", SYSTEMS))
SIDE, VERB = Field("side", "B", "choice", SIDES), Field("verb", "B", "choice", VERBS)
STATEMENT = (*CONNECTION, SIDE, VERB)
LABELS = ("program", "system", "side", "verb")
DIGESTED = ("program", "system", "side", "digest")
DIGEST_METRICS = (
    Counter(
        "scalpels_sql_digest_statements_total", "Statements by digest, where `digests` asks.", DIGESTED, series=2000
    ),
    Counter(
        "scalpels_sql_digest_seconds_total",
        "Time to the first byte of their answers, which `scalpels_sql_seconds` has by verb.",
        DIGESTED,
        "seconds",
        series=2000,
    ),
    Counter(
        "scalpels_sql_digest_rows_total",
        "Rows that their answers say were read or changed; MySQL says it of changes alone.",
        DIGESTED,
        series=2000,
    ),
    Counter("scalpels_sql_digest_errors_total", "Those that failed.", DIGESTED, series=2000),
    Info(
        "scalpels_sql_digest_info",
        "The text of a digest, without its literals; an ellipsis where it was cut.",
        ("digest", "text"),
        series=500,
    ),
)


def happening(label: str, words: tuple[str, ...]) -> tuple[Field, ...]:
    return (*CONNECTION, SIDE, Field(label, "B", "choice", words))


TRACER = Tracer(
    name="sql",
    help="SQL statements by verb: how long they take, what fails, transactions and connections.",
    metrics=(
        Histogram(
            "scalpels_sql_seconds",
            "Time from the last byte of a statement's request to the first byte of its answer, failures included.",
            LABELS,
            "seconds",
            series=1000,
        ),
        Histogram(
            "scalpels_sql_complete_seconds",
            "Time to the last byte of the answer. Where MySQL does not tell, it is counted with the next request.",
            LABELS,
            "seconds",
            series=600,
        ),
        Counter(
            "scalpels_sql_rows_total",
            "Rows that the answer says were read or changed; MySQL says it of changes alone.",
            LABELS,
            series=1000,
        ),
        Counter(
            "scalpels_sql_errors_total",
            "Statements and logins that failed, by MySQL's error number or PostgreSQL's SQLSTATE.",
            (*LABELS, "code"),
            series=1000,
        ),
        Histogram(
            "scalpels_sql_transaction_seconds",
            "Time from a transaction's first statement to its end; it may hold locks. Only those that are opened.",
            ("program", "system", "side", "outcome"),
            "seconds",
            series=200,
            buckets=Exponential(-14, 10),
        ),
        Counter(
            "scalpels_sql_connections_total",
            "Connections that were opened, refused, or lost with a statement unanswered.",
            ("program", "system", "side", "result"),
            series=300,
        ),
        Counter(
            "scalpels_sql_received_bytes_total",
            "Bytes received, those of an answer not later than with the next statement.",
            ("program", "system", "side"),
            "bytes",
            series=200,
        ),
        Counter("scalpels_sql_sent_bytes_total", "Bytes sent.", ("program", "system", "side"), "bytes", series=200),
        Counter(
            "scalpels_sql_unreadable_connections_total",
            "Connections whose statements cannot be read: encrypted, or compressed.",
            ("program", "system", "side", "reason"),
            series=200,
        ),
        *DIGEST_METRICS,
    ),
    runs=Parser(
        host="wire",
        recognisers=("sql_recognise",),
        programs=(
            *("sql_mysql_requests", "sql_mysql_answers", "sql_pg_requests", "sql_pg_answers"),
            *("sql_pg_again", "sql_pg_on", "sql_pg_end", "sql_scan", "sql_digest", "sql_machine_made"),
        ),
        tables=(
            Table("sql_times", STATEMENT, (Count("scalpels_sql_rows_total"), Distribution("scalpels_sql_seconds"))),
            Table("sql_whole", STATEMENT, (Distribution("scalpels_sql_complete_seconds"),)),
            Table("sql_errors", (*STATEMENT, Field("code", "8s", "text")), (Count("scalpels_sql_errors_total"),)),
            Table(
                "sql_trans",
                happening("outcome", ("committed", "rolled_back")),
                (Distribution("scalpels_sql_transaction_seconds"),),
            ),
            Table(
                "sql_conns",
                happening("result", ("opened", "refused", "lost")),
                (Count("scalpels_sql_connections_total"),),
            ),
            Table(
                "sql_bytes",
                (*CONNECTION, SIDE),
                (Count("scalpels_sql_received_bytes_total"), Count("scalpels_sql_sent_bytes_total")),
            ),
            Table(
                "sql_unread",
                happening("reason", ("tls", "compressed")),
                (Count("scalpels_sql_unreadable_connections_total"),),
            ),
        ),
        # A second MySQL command before the answer to the first; a statement that could not be told its digest.
        lost=("unanswered", "undigested"),
        companion="Digests",
    ),
    parameters=(
        Parameter(
            "digests",
            "integer",
            0,
            "Statements without their literals that have series of their own: those that take most time. 0: none.",
            0,
            500,
        ),
    ),
    series=6000,
    default=True,
    overhead="1.1 µs a statement at the client, 2.9 at the server, PostgreSQL 2.4 each (SELECT 1; benchmarks/sql.py).",
    picture="scalpels_sql_seconds",
    summary=Summary("scalpels_sql_seconds", "scalpels_sql_errors_total"),
)

KEY = struct.Struct("=IBBHQ")  # struct digested
SPENT = struct.Struct("=4Q")  # struct digest_spent: calls, nanoseconds, rows, errors
TEXT = struct.Struct("=BB6x192s")  # struct digest_text
OTHER = "other"  # the digest of what has none, and of those that do not lead
UNITS = (1, 1e-9, 1, 1)  # of SPENT, in the metrics' order

Gained = defaultdict[tuple[int, int, int, int], list[int]]  # program, system, side, digest → SPENT


class Digests:
    """Chooses the digests that have series of their own, and adds up the others. What is counted for one while it leads
    is its own; what came before, and comes after, is among the others: every sum only grows."""

    def __init__(self, kernel: Kernel) -> None:
        self._spent = kernel.maps.get("sql_digests")
        self._texts = kernel.maps.get("sql_texts")
        self._name = kernel.name
        self._leaders = Leaders(kernel.parameters["digests"])
        self._last: dict[bytes, tuple[int, ...]] = {}
        self._shown: Gained = defaultdict(lambda: [0] * 4)
        self._known: dict[int, str] = {}  # digest → text
        if self._spent is not None:  # what was counted before this one began is not its
            self._last = {key: SPENT.unpack(value) for key, value in self._spent.items()}

    def beat(self) -> float:
        return float("inf")

    def samples(self) -> Sequence[Sample]:
        if self._spent is None:
            return []
        gained = self._gained()
        nanoseconds: dict[int, float] = defaultdict(float)
        for (_, _, _, digest), more in gained.items():
            if digest:
                nanoseconds[digest] += more[1]
        self._leaders.weigh(nanoseconds, time.monotonic())
        for (*who, digest), more in gained.items():
            program, system, side = who
            into = self._shown[program, system, side, digest if digest in self._leaders else 0]
            for place, number in enumerate(more):
                into[place] += number
        return self._present()

    def _gained(self) -> dict[tuple[int, int, int, int], tuple[int, ...]]:
        """Since the last time."""
        found = {}
        assert self._spent is not None
        for key, value in self._spent.items():
            now, before = SPENT.unpack(value), self._last.get(key, (0, 0, 0, 0))
            if now != before:
                program, system, side, _, digest = KEY.unpack(key)
                found[program, system, side, digest] = tuple(a - b for a, b in zip(now, before, strict=True))
                self._last[key] = now
        return found

    def _present(self) -> list[Sample]:
        samples: list[Sample] = []
        told = set()
        for (program, system, side, digest), spent in self._shown.items():
            if digest and digest not in self._leaders:
                continue
            name = f"{digest:016x}" if digest else OTHER
            labels = (self._name(program), SYSTEMS[system], SIDES[side], name)
            for metric, number, unit in zip(DIGEST_METRICS, spent, UNITS, strict=False):
                samples.append((metric.name, labels, number * unit))
            told.add(digest)
        return samples + [(DIGEST_METRICS[-1].name, (f"{one:016x}", self._text(one)), 1) for one in told if one]

    def _text(self, digest: int) -> str:
        if digest not in self._known:
            found = self._texts.get(digest.to_bytes(8, "little")) if self._texts is not None else None
            if not found:
                return ""
            length, cut, raw = TEXT.unpack(found)
            self._known[digest] = raw[:length].decode(errors="ignore") + "…" * bool(cut)
        return self._known[digest]
