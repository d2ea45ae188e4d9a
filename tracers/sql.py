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
"""

from scalpels_exporter.declare import (
    Count,
    Counter,
    Distribution,
    Exponential,
    Field,
    Histogram,
    Parser,
    Summary,
    Table,
    Tracer,
)

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
    ),
    runs=Parser(
        host="wire",
        recognisers=("sql_recognise",),
        programs=(
            *("sql_mysql_requests", "sql_mysql_answers", "sql_pg_requests", "sql_pg_answers"),
            *("sql_pg_end", "sql_scan"),
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
        lost=("unanswered",),  # a second MySQL command before the answer to the first
    ),
    default=True,
    overhead="0.6 to 1.0 µs of CPU a statement at the client, 3.1 µs at the server (SELECT 1; benchmarks/sql.py).",
    picture="scalpels_sql_seconds",
    summary=Summary("scalpels_sql_seconds", "scalpels_sql_errors_total"),
)
