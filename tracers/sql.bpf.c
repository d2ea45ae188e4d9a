/* Follows MySQL's (MariaDB's) and PostgreSQL's protocol on connections that wire.bpf.c brings, from both ends.
 *
 * MySQL: a request is a packet with the number 0; of the answer the first packet is looked at, and of all that follows
 * the last bytes: rows are not walked through. PostgreSQL: messages in both directions are followed one by one; a
 * CommandComplete is a statement that has succeeded, and tells its verb and its rows.
 */

enum { MYSQL, POSTGRESQL };
enum { /* in the order of VERBS in sql.py */
    OTHER_VERB, SELECT, INSERT, UPDATE, DELETE, REPLACE, BEGIN, COMMIT, ROLLBACK, SET, SHOW, USE, CALL, PREPARE, EXECUTE,
    FETCH, DECLARE, CLOSE, DEALLOCATE, COPY, LOAD, CREATE, ALTER, DROP, TRUNCATE, LOCK, UNLOCK, SAVEPOINT, RELEASE,
    EXPLAIN, ANALYZE, MERGE, GRANT, REVOKE, DO, VACUUM, LISTEN, NOTIFY, DISCARD, PING, WITH
};
enum { OPENED, REFUSED, LOST_CONNECTION };
enum { COMMITTED, ROLLED_BACK };
enum { TLS, COMPRESSED };
#define SCAN_BYTES 128 /* of a text that are scanned at once */
#define MOST_SCANS 8
#define UNFOUND 255
#define VERB_QUEUE 32 /* statements sent and not answered yet that an error can be told the verb of */
#define BATCH_QUEUE 16

/* Keys. `unused` fills them up, so that no byte of one is left to chance. */
struct statement {
    u32 program;
    u8 system;
    u8 side;
    u8 verb;
    u8 unused;
};
struct failure {
    u32 program;
    u8 system;
    u8 side;
    u8 verb;
    char code[8];
    u8 unused;
};
struct happening {
    u32 program;
    u8 system;
    u8 side;
    u8 what;
    u8 unused;
};
struct end {
    u32 program;
    u8 system;
    u8 side;
    u16 unused;
};
struct spent {
    u64 rows;
    u64 sum;
    u64 counts[SQL_TIMES_SLOTS];
};
struct whole {
    u64 sum;
    u64 counts[SQL_WHOLE_SLOTS];
};
struct lasted {
    u64 sum;
    u64 counts[SQL_TRANS_SLOTS];
};
struct traffic {
    u64 received, sent;
};
struct place {
    u64 inode;
    u64 id;
};

BPF_TABLE("percpu_hash", struct statement, struct spent, sql_times, SQL_TIMES_ENTRIES);
BPF_TABLE("percpu_hash", struct statement, struct whole, sql_whole, SQL_WHOLE_ENTRIES);
BPF_TABLE("percpu_hash", struct happening, struct lasted, sql_trans, SQL_TRANS_ENTRIES);
BPF_TABLE("percpu_hash", struct failure, u64, sql_errors, SQL_ERRORS_ENTRIES);
BPF_TABLE("percpu_hash", struct happening, u64, sql_conns, SQL_CONNS_ENTRIES);
BPF_TABLE("percpu_hash", struct happening, u64, sql_unread, SQL_UNREAD_ENTRIES);
BPF_TABLE("percpu_hash", struct end, struct traffic, sql_bytes, SQL_BYTES_ENTRIES);
BPF_TABLE("lru_hash", struct place, u32, sql_prepared, 16384); /* prepared statement → verb */
BPF_PERCPU_ARRAY(sql_blank, struct spent, 1);                   /* never written to; the largest value */

enum { STARTING, ENCRYPTING, LOGGING_IN, IDLE, ASKED, ANSWERING };
enum { TO_EXECUTE, TO_PREPARE, TO_FETCH };

struct sql {
    u64 asked; /* when the last byte of the request had come; 0: not known */
    u64 first; /* when the first byte of the answer came; 0: not yet */
    u64 began; /* of the transaction; 0: in none */
    u8 phase;
    u8 system;
    u8 verb;     /* of what was asked, or is being prepared */
    u8 prepared; /* of the last statement prepared, unnamed or by direct execution */
    u8 bound;    /* PostgreSQL: of the portal that was bound last. MySQL: compressed once it is logged in */
    u8 by_hand;  /* transactions begin by themselves: autocommit is off */
    u8 lost;     /* PostgreSQL: the place in the answers is not known any more */
    u8 tagged;   /* PostgreSQL: verb of the last CommandComplete. MySQL: TO_PREPARE `verb` or else */
    u8 batches_from, batches_to;
    u16 verbs_from, verbs_to;
    u8 verbs[VERB_QUEUE];
    u8 parsing;  /* PostgreSQL: a Parse is not answered yet */
    u8 parsed;   /* the verb of the last one */
    u8 reading;  /* a text that a digest is made of: sql_digests.h */
    u64 parse;   /* when it was sent */
    u16 ends[BATCH_QUEUE];    /* verbs_to at the end of each batch (to a Sync, or a simple query) */
    u64 batches[BATCH_QUEUE]; /* when its last byte had been sent */
    u64 last;     /* MySQL: when the last bytes of an answer came; ANSWERING. PostgreSQL: of what was asked */
    u64 tail[2];  /* MySQL: these bytes */
    u16 columns;  /* MySQL: number of the packet that ends the definitions of the columns */
};
_Static_assert(sizeof(struct sql) <= 8 * STATE_WORDS, "sql");
enum { NOT_READING, BEGUN, KEPT }; /* sql->reading: no text; one of this system call; of an earlier one */
#if PARAMETER_SQL_DIGESTS
#define begins_reading(sql) ((sql)->reading == BEGUN)
#else
#define begins_reading(sql) 0
#endif

/* ------------------------------------------------------------------ counting */

static __always_inline struct happening happening_of(struct pass *pass, struct conn *conn, struct sql *sql, u32 what)
{
    struct happening found = {pass->program, sql->system, conn->side, what};
    return found;
}

static __always_inline void count_connection(struct pass *pass, struct conn *conn, struct sql *sql, u32 what)
{
    struct happening key = happening_of(pass, conn, sql, what);
    u64 none = 0;
    add(sql_conns.lookup_or_try_init(&key, &none), 1, LOST_SQL_FULL);
}

/* The rest of the connection is hidden: it is said, and never guessed at. */
static __always_inline void count_unreadable(struct pass *pass, struct conn *conn, struct sql *sql, u32 what)
{
    struct happening key = happening_of(pass, conn, sql, what);
    u64 none = 0;
    add(sql_unread.lookup_or_try_init(&key, &none), 1, LOST_SQL_FULL);
    conn->unreadable = 1;
}

/* What a program of ours begins with: 0 where there is nothing to follow. */
static __always_inline struct conn *conn_of(struct pass *pass)
{
    struct conn *conn = conns.lookup(&pass->inode);
    if (conn && !is_on(SWITCH_SQL)) {
        forget(conn);
        return 0;
    }
    if (conn && HIDDEN(pass)) {
        count_unreadable(pass, conn, (struct sql *)conn->state, TLS);
        return 0;
    }
    return conn;
}

static __always_inline void count_bytes(struct pass *pass, struct conn *conn, struct sql *sql)
{
    struct end key = {pass->program, sql->system, conn->side};
    struct traffic none = {}, *found = sql_bytes.lookup_or_try_init(&key, &none);
    if (!found) {
        lose(LOST_SQL_FULL);
        return;
    }
    found->received += conn->moved[RECEIVED];
    found->sent += conn->moved[SENT];
    conn->moved[RECEIVED] = conn->moved[SENT] = 0;
}

/* For what one run cannot look at. */
static __always_inline int sql_goes_on(struct exited *at, struct stream *stream, u32 place)
{
    parsers.call(at, place);
    lose(LOST_LONG);
    begin_anew(stream);
    return 0;
}

/* No more bytes come in one direction, or nobody holds the connection any more. `asked`: it owes an answer. */
static __always_inline int at_end(struct pass *pass, struct conn *conn, struct sql *sql, int asked)
{
    if (asked)
        count_connection(pass, conn, sql, LOST_CONNECTION);
    if (conn->moved[RECEIVED] | conn->moved[SENT])
        count_bytes(pass, conn, sql);
    if (conn->ended == CLOSED)
        give_back(&pass->inode);
    return 0;
}

/* A statement: `spent` to the first byte of its answer. */
static __always_inline void count_statement(struct pass *pass, struct conn *conn, struct sql *sql, u32 verb, u64 spent,
                                            u64 rows)
{
    struct statement key = {pass->program, sql->system, conn->side, verb};
    struct spent *found = sql_times.lookup(&key);
    if (!found) {
        int zero = 0;
        struct spent *nothing = sql_blank.lookup(&zero);
        if (nothing)
            sql_times.insert(&key, nothing);
        found = sql_times.lookup(&key);
    }
    if (!found) {
        lose(LOST_SQL_FULL);
        return;
    }
    found->rows += rows;
    observe(&found->sum, found->counts, spent, SQL_TIMES_FIRST, SQL_TIMES_SLOTS);
    count_bytes(pass, conn, sql);
}

/* The same statement to the end of its answer, where the protocol tells. */
static __always_inline void count_whole(struct pass *pass, struct conn *conn, struct sql *sql, u32 verb, u64 spent)
{
    struct statement key = {pass->program, sql->system, conn->side, verb};
    struct whole *found = sql_whole.lookup(&key);
    if (!found) {
        int zero = 0;
        struct whole *nothing = (struct whole *)sql_blank.lookup(&zero);
        if (nothing)
            sql_whole.insert(&key, nothing);
        found = sql_whole.lookup(&key);
    }
    if (!found) {
        lose(LOST_SQL_FULL);
        return;
    }
    observe(&found->sum, found->counts, spent, SQL_WHOLE_FIRST, SQL_WHOLE_SLOTS);
}

/* So many more like the last one, whose answers had come with its own. */
static __always_inline void count_more(struct pass *pass, struct conn *conn, struct sql *sql, u32 verb, u64 rows,
                                       u64 times)
{
    struct statement key = {pass->program, sql->system, conn->side, verb};
    struct spent *found = sql_times.lookup(&key);
    struct whole *whole = sql_whole.lookup(&key);
    if (!found || !whole) { /* the last one was not counted either */
        lose(LOST_SQL_FULL);
        return;
    }
    found->rows += rows * times;
    found->counts[slot_of_ns(0, SQL_TIMES_FIRST, SQL_TIMES_SLOTS)] += times;
    whole->counts[slot_of_ns(0, SQL_WHOLE_FIRST, SQL_WHOLE_SLOTS)] += times;
}

static __always_inline void count_transaction(struct pass *pass, struct conn *conn, struct sql *sql, u32 outcome)
{
    struct happening key = happening_of(pass, conn, sql, outcome);
    u64 lasted = pass->now - sql->began;
    struct lasted *found = sql_trans.lookup(&key);
    sql->began = 0;
    if (!found) {
        int zero = 0;
        struct lasted *nothing = (struct lasted *)sql_blank.lookup(&zero);
        if (nothing)
            sql_trans.insert(&key, nothing);
        found = sql_trans.lookup(&key);
    }
    if (!found) {
        lose(LOST_SQL_FULL);
        return;
    }
    observe(&found->sum, found->counts, lasted, SQL_TRANS_FIRST, SQL_TRANS_SLOTS);
}

static __always_inline void count_failure(struct failure *key)
{
    u64 none = 0;
    add(sql_errors.lookup_or_try_init(key, &none), 1, LOST_SQL_FULL);
}

#include "sql_verbs.h"

#include "sql_mysql.h"

#include "sql_postgresql.h"

#include "sql_batches.h"

/* ------------------------------------------------------------------ recognising */

static __always_inline int begins_a_text(u8 c)
{
    u8 capital = c & ~0x20;
    return (capital >= 'A' && capital <= 'Z') || c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '(' ||
           c == '/' || c == '-' || c == '#';
}

/* Whether a command of `length` bytes begins at `at` in the head. */
static __always_inline int is_command(const u8 *at, u64 length)
{
    switch (at[0]) {
    case COM_QUERY:
    case COM_STMT_PREPARE:
        return length > 2 && begins_a_text(at[1]);
    case COM_STMT_EXECUTE:
        return length >= 10 && little_32(at + 6) == 1 && at[5] < 16;
    case COM_PING:
    case COM_QUIT:
    case COM_RESET_CONNECTION:
        return length == 1;
    case COM_STMT_CLOSE:
    case COM_STMT_RESET:
        return length == 5;
    case COM_STMT_FETCH:
        return length == 9;
    }
    return 0;
}

static __always_inline struct sql *is_mysql(struct conn *conn, u32 side, u32 phase)
{
    struct sql *sql = (struct sql *)conn->state;
    recognised(conn, CALL_SQL_MYSQL_REQUESTS, side);
    sql->system = MYSQL;
    sql->phase = phase;
    return sql;
}

static __always_inline void is_postgresql(struct conn *conn, u32 side, u32 phase)
{
    struct sql *sql = (struct sql *)conn->state;
    recognised(conn, CALL_SQL_PG_REQUESTS, side);
    sql->system = POSTGRESQL;
    sql->phase = phase;
}

/* True when it is known, and has been taken. */
static __always_inline int recognised_mysql(struct pass *pass, struct conn *conn, u64 total)
{
    u32 length = little_24(pass->head), asking = pass->direction == SENT ? CLIENT : SERVER;
    u64 candidate = conn->state[0];
    conn->state[0] = 0;
    if (pass->direction == RECEIVED && candidate == total && is_command(pass->head, total)) {
        is_mysql(conn, SERVER, IDLE); /* its header came alone, before this */
        struct stream *stream = &conn->streams[RECEIVED];
        stream->have = 4;
        stream->head[0] = total;
        stream->head[1] = total >> 8;
        stream->head[2] = total >> 16;
        stream->head[3] = 0;
        return 1;
    }
    if (pass->head[3])
        return 0;
    if (total == 4 && pass->direction == RECEIVED && length) {
        conn->state[0] = length;
        return 0;
    }
    if (length + 4 != total || total < 5)
        return 0;
    if (is_command(pass->head + 4, length)) {
        is_mysql(conn, asking, IDLE);
        return 1;
    }
    u32 answering = pass->direction == SENT ? SERVER : CLIENT, number = pass->head[5] | pass->head[6] << 8;
    if (pass->head[4] == 10 && total > 40 && pass->head[5] >= '1' && pass->head[5] <= '9') {
        is_mysql(conn, answering, LOGGING_IN); /* the server's greeting */
        pass->left = pass->rest = 0;
        return 1;
    }
    if (pass->head[4] == 0xff && number >= 1000 && number < 5000 && total > 9 && total < 600) {
        is_mysql(conn, answering, LOGGING_IN); /* refused instead of greeted */
        return 1;
    }
    return 0;
}

static __always_inline int asks_postgresql(u8 type)
{
    return type == 'P' || type == 'B' || type == 'D' || type == 'E' || type == 'C' || type == 'S' || type == 'H';
}

/* Whether a batch of messages ends with a Sync or a Flush. One in several pieces, which has no end in one place: whether
 * another message follows the first one. */
static __always_inline int ends_a_batch(struct pass *pass, u64 total, u64 of_first)
{
    u8 last[5] = {};
    if (pass->rest)
        return of_first < HEAD_BYTES && of_first < total && asks_postgresql(head_at(pass, of_first));
    bpf_probe_read_user(last, sizeof(last), (void *)(pass->at + total - sizeof(last)));
    return (last[0] == 'S' || last[0] == 'H') && big_32(last + 1) == 4;
}

static __always_inline int recognised_postgresql(struct pass *pass, struct conn *conn, u64 total)
{
    u32 asking = pass->direction == SENT ? CLIENT : SERVER, length = big_32(pass->head), code = big_32(pass->head + 4);
    if (length == total && ((code == STARTUP && total > 8) || ((code == SSL || code == GSS) && total == 8))) {
        is_postgresql(conn, asking, STARTING);
        return 1;
    }
    u8 type = pass->head[0];
    u64 of_first = 1 + (u64)big_32(pass->head + 1);
    if (of_first < 5 || of_first > total)
        return 0;
    int query = type == 'Q' && of_first == total && total > 6 && begins_a_text(pass->head[5]);
    if (!query && !(asks_postgresql(type) && ends_a_batch(pass, total, of_first)))
        return 0;
    is_postgresql(conn, asking, IDLE);
    return 1;
}

int sql_recognise(struct exited *at)
{
    struct pass *pass = pass_here();
    if (!pass)
        return 0;
    struct conn *conn = conns.lookup(&pass->inode);
    if (!conn || conn->parser)
        return 0;
    u64 total = pass->left + pass->rest;
    u32 here = !HIDDEN(pass) && is_on(SWITCH_SQL) ? beginning(pass, 0) : 0;
    if (here && (recognised_mysql(pass, conn, total) || (here >= 5 && recognised_postgresql(pass, conn, total)))) {
        conn->moved[pass->direction & 1] += total;
        parsers.call(at, place_of(conn, pass));
        return 0;
    }
    if (HAS_NEXT(CALL_SQL_RECOGNISE))
        parsers.call(at, CALL_SQL_RECOGNISE + 1);
    return 0;
}
