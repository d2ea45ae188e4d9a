/* MySQL's and MariaDB's protocol, once a connection is known to speak it. */

/* ------------------------------------------------------------------ MySQL */

#define COM_QUIT 0x01
#define COM_INIT_DB 0x02
#define COM_QUERY 0x03
#define COM_FIELD_LIST 0x04
#define COM_PING 0x0e
#define COM_BINLOG_DUMP 0x12
#define COM_STMT_PREPARE 0x16
#define COM_STMT_EXECUTE 0x17
#define COM_STMT_SEND_LONG_DATA 0x18
#define COM_STMT_CLOSE 0x19
#define COM_STMT_RESET 0x1a
#define COM_STMT_FETCH 0x1c
#define COM_RESET_CONNECTION 0x1f
#define COM_STMT_BULK_EXECUTE 0xfa
#define CLIENT_COMPRESS 0x20
#define CLIENT_SSL 0x800
#define CLIENT_ZSTD 0x4000000
#define SSL_REQUEST_BYTES 36
#define LAST_PREPARED 0xffffffff
#define SERVER_IN_TRANSACTION 1
#define SERVER_AUTOCOMMIT 2
#define SERVER_MORE_RESULTS 8
#define SERVER_CURSOR 0x40
#define NO_COLUMNS 0xffff

#include "sql_digests.h"

static __always_inline void mysql_login(struct pass *pass, struct conn *conn, struct sql *sql, u64 total)
{
    u32 flags = little_32(pass->head + 4);
    if (pass->head[3] != 1)
        return; /* an answer to a challenge */
    if (flags & (CLIENT_COMPRESS | CLIENT_ZSTD))
        sql->bound = 1; /* compressed once it is logged in */
    if (flags & CLIENT_SSL && total == SSL_REQUEST_BYTES)
#if PARAMETER_TLS
        conn->encrypting = 1; /* libssl is looked at for what follows */
#else
        count_unreadable(pass, conn, sql, TLS);
#endif
}

/* The verb that is asked for; WITH where a scan must tell, PING + 1 and up for what has no answer. */
#define NO_ANSWER 254
#define NO_COMMAND 255
static __always_inline u32 mysql_verb(struct pass *pass, struct sql *sql)
{
    u32 command = pass->head[4], *known;
    struct place place = {pass->inode, little_32(pass->head + 5)};
    switch (command) {
    case COM_QUERY:
    case COM_STMT_PREPARE:
        return verb_at(pass, 5);
    case COM_STMT_EXECUTE:
    case COM_STMT_BULK_EXECUTE:
        if (place.id == LAST_PREPARED)
            return sql->prepared;
        known = sql_prepared.lookup(&place);
        return known ? *known : EXECUTE;
    case COM_QUIT:
    case COM_STMT_CLOSE:
    case COM_STMT_SEND_LONG_DATA:
        return NO_ANSWER;
    case COM_INIT_DB:
        return USE;
    case COM_FIELD_LIST:
        return SHOW;
    case COM_PING:
        return PING;
    case COM_STMT_FETCH:
        return FETCH;
    }
    return command <= COM_RESET_CONNECTION ? OTHER_VERB : NO_COMMAND;
}

/* The answer to what was asked had come wholly at `when`. */
static __always_inline void mysql_complete(struct pass *pass, struct conn *conn, struct sql *sql, u64 when)
{
    count_whole(pass, conn, sql, sql->tagged == TO_PREPARE ? PREPARE : sql->verb, when - sql->asked);
    sql->phase = IDLE;
}

/* True when the text must be scanned. */
static __always_inline int mysql_request(struct pass *pass, struct conn *conn, struct sql *sql, u64 total, u64 end)
{
    if (pass->head[3] || total < 5) { /* not the first packet of a request */
        if (sql->phase == LOGGING_IN)
            mysql_login(pass, conn, sql, total);
        return 0;
    }
    u32 verb = mysql_verb(pass, sql), scan = verb == WITH;
    if (sql->phase == ANSWERING)
        mysql_complete(pass, conn, sql, sql->last);
    if (verb == NO_ANSWER)
        return 0;
    if (verb == NO_COMMAND || pass->head[4] == COM_BINLOG_DUMP) {
        lose(LOST_SYNC);
        forget(conn);
        return 0;
    }
    if (sql->phase == ASKED)
        lose(LOST_UNANSWERED);
    if (scan)
        verb = OTHER_VERB;
    sql->verb = verb;
    sql->tagged = pass->head[4] == COM_STMT_PREPARE ? TO_PREPARE : pass->head[4] == COM_STMT_FETCH ? TO_FETCH : TO_EXECUTE;
    if (sql->tagged == TO_PREPARE)
        sql->prepared = verb;
    sql->phase = ASKED;
    sql->asked = pass->now;
    sql->first = 0;
    begin_anew(&conn->streams[!pass->direction]);
    ask_for_scan(pass, 5, total, end, TO_VERB, 0);
    mysql_command_digest(pass, sql, total);
    return scan;
}

static __always_inline int mysql_ended(struct pass *pass, struct conn *conn, struct sql *sql)
{
    int asked = sql->phase == ASKED;
    if (asked)
        sql->phase = IDLE;
    return at_end(pass, conn, sql, asked);
}

int sql_mysql_requests(struct exited *at)
{
    struct pass *pass = pass_here();
    struct conn *conn = pass ? conn_of(pass) : 0;
    if (!conn)
        return 0;
    struct sql *sql = (struct sql *)conn->state;
    struct stream *stream = &conn->streams[pass->direction & 1];
    if (conn->ended)
        return mysql_ended(pass, conn, sql);
    if (sql->phase == ASKED)
        sql->asked = pass->now; /* more of it */
    else if (conn->moved[!pass->direction])
        count_bytes(pass, conn, sql); /* of what came behind the first packet of the last answer */
    for (int n = 0; n < 6; n++) {
        if (!pass->left && !next_piece(pass))
            return 0;
        if (goes_on_reading(sql, stream)) {
            read_digest(at, pass, sql, CALL_SQL_MYSQL_REQUESTS);
        }
        u64 end = pass->at + pass->left;
        u32 got = gather(pass, stream);
        if (!got)
            continue;
        u64 total = got < 4 ? HEAD_BYTES : 4 + little_24(pass->head);
        if (!IS_WHOLE(got, total)) {
            keep(pass, stream, got);
            continue;
        }
        took(pass, stream, got, total);
        if (mysql_request(pass, conn, sql, total, end)) {
            pass->back = CALL_SQL_MYSQL_REQUESTS;
            parsers.call(at, CALL_SQL_SCAN);
            return 0;
        }
        if (begins_reading(sql)) {
            read_digest(at, pass, sql, CALL_SQL_MYSQL_REQUESTS);
        }
        if (conn->parser != CALL_SQL_MYSQL_REQUESTS || conn->unreadable)
            return 0;
    }
    return sql_goes_on(at, stream, CALL_SQL_MYSQL_REQUESTS);
}

static __always_inline void mysql_failed(struct pass *pass, struct conn *conn, struct sql *sql, u32 verb)
{
    struct failure key = {pass->program, sql->system, conn->side, verb};
    u32 number = pass->head[5] | pass->head[6] << 8;
    key.code[0] = '0' + number / 1000 % 10;
    key.code[1] = '0' + number / 100 % 10;
    key.code[2] = '0' + number / 10 % 10;
    key.code[3] = '0' + number % 10;
    count_failure(&key);
}

/* A number of variable length: moves `place` behind it. */
static __always_inline u64 mysql_number(struct pass *pass, u32 *place)
{
    u32 at = *place & (HEAD_BYTES - 1);
    u8 first = pass->head[at];
    const u8 *more = &pass->head[at + 1];
    *place = at + 1 + (first == 0xfc ? 2 : first == 0xfd ? 3 : first == 0xfe ? 8 : 0);
    if (first < 0xfb)
        return first;
    return first == 0xfc ? more[0] | more[1] << 8 : first == 0xfd ? little_24(more) : little_32(more);
}

/* What the end of an answer tells of the transaction, and whether another answer follows. */
static __always_inline void mysql_status(struct pass *pass, struct conn *conn, struct sql *sql, u32 status)
{
    sql->by_hand = !(status & SERVER_AUTOCOMMIT);
    if (status & SERVER_IN_TRANSACTION) {
        if (!sql->began)
            sql->began = sql->asked;
    } else if (sql->began) {
        count_transaction(pass, conn, sql, sql->verb == ROLLBACK ? ROLLED_BACK : COMMITTED);
    }
    sql->phase = status & SERVER_MORE_RESULTS ? ANSWERING : IDLE;
    sql->columns = NO_COLUMNS;
}

/* An OK packet. Returns the rows. */
static __always_inline u64 mysql_done(struct pass *pass, struct conn *conn, struct sql *sql)
{
    u32 place = 5;
    u64 rows = mysql_number(pass, &place);
    mysql_number(pass, &place);
    mysql_told_status(pass, pass->head[(place & (HEAD_BYTES - 1)) + 1]);
    mysql_status(pass, conn, sql, pass->head[place & (HEAD_BYTES - 1)]);
    return rows;
}

/* The first packet of an answer. */
static __always_inline void mysql_answered(struct pass *pass, struct conn *conn, struct sql *sql)
{
    u32 verb = sql->tagged == TO_PREPARE ? PREPARE : sql->verb, kind = pass->head[4];
    u64 rows = 0;
    sql->phase = IDLE;
    sql->tail[0] = sql->tail[1] = 0;
    if (kind == 0xff) {
        mysql_failed(pass, conn, sql, verb);
    } else if (kind == 0 && sql->tagged == TO_PREPARE) {
        struct place place = {pass->inode, little_32(pass->head + 5)};
        u32 of = sql->verb;
        sql_prepared.update(&place, &of);
    } else if (kind == 0 && sql->tagged == TO_EXECUTE) {
        rows = mysql_done(pass, conn, sql);
    } else if (kind != 0xfe || sql->tagged != TO_FETCH) { /* rows follow, or their definitions */
        if (sql->by_hand && !sql->began && verb == SELECT)
            sql->began = sql->asked; /* where its end is not seen */
        sql->phase = ANSWERING;
        sql->columns = sql->tagged == TO_FETCH || kind >= 0xfb ? NO_COLUMNS : (kind + 2) & 0xff;
    }
    count_statement(pass, conn, sql, verb, sql->first - sql->asked, rows);
    count_digest(pass, conn, sql, mysql_answer_digest(pass, sql, kind), sql->first - sql->asked, rows, kind == 0xff);
    if (sql->phase == IDLE)
        mysql_complete(pass, conn, sql, pass->now);
}

/* Keeps the last bytes of the answer, those of this piece behind those of the ones before. */
static __always_inline void mysql_tail(struct pass *pass, struct sql *sql)
{
    u64 left = pass->left;
    u32 some = left < sizeof(sql->tail) ? left : sizeof(sql->tail);
    asm volatile("%0 &= 31" : "+r"(some));
    __builtin_memcpy(pass->scan, sql->tail, sizeof(sql->tail));
    if (some > sizeof(sql->tail) || bpf_probe_read_user(pass->scan + sizeof(sql->tail), some, (void *)(pass->at + left - some)))
        return;
    __builtin_memcpy(sql->tail, pass->scan + some, sizeof(sql->tail));
    pass->left = 0;
}

/* More of an answer. It ends with an EOF packet or an OK packet that stands for one, which a server sends at once with
 * what goes before: only at the end of the bytes is it looked for. Where it cannot be told from another packet, or is an
 * error, the answer's end is told by the next request. */
static __always_inline void mysql_rest(struct pass *pass, struct conn *conn, struct sql *sql)
{
    const u8 *tail = (const u8 *)sql->tail;
    u32 status;
    if (!pass->left && !pass->rest)
        return;
    sql->last = pass->now;
    for (int n = 0; n < 3; n++) {
        if (pass->left)
            mysql_tail(pass, sql);
        if (!next_piece(pass))
            break;
    }
    if (tail[7] == 5 && !tail[8] && !tail[9] && tail[11] == 0xfe) { /* length, number, kind, warnings, status */
        status = tail[14];
        if (tail[10] == sql->columns && !(status & SERVER_CURSOR))
            return; /* or it is the end of the columns' definitions, and the rows follow */
        mysql_told_status(pass, tail[15]);
    } else if (tail[5] == 7 && !tail[6] && !tail[7] && tail[9] == 0xfe && !tail[10] && !tail[11]) {
        status = tail[12]; /* length, number, kind, no rows, no id, status, warnings */
        mysql_told_status(pass, tail[13]);
    } else {
        return;
    }
    mysql_status(pass, conn, sql, status);
    if (sql->phase == IDLE)
        mysql_complete(pass, conn, sql, pass->now);
}

static __always_inline void mysql_logged_in(struct pass *pass, struct conn *conn, struct sql *sql)
{
    u32 kind = pass->head[4];
    if (kind == 0) {
        count_connection(pass, conn, sql, OPENED);
        mysql_done(pass, conn, sql);
        sql->phase = IDLE;
        if (sql->bound)
            count_unreadable(pass, conn, sql, COMPRESSED);
    } else if (kind == 0xff) {
        count_connection(pass, conn, sql, REFUSED);
        mysql_failed(pass, conn, sql, OTHER_VERB);
        sql->phase = IDLE;
    }
}

int sql_mysql_answers(struct exited *at)
{
    struct pass *pass = pass_here();
    struct conn *conn = pass ? conn_of(pass) : 0;
    if (!conn)
        return 0;
    struct sql *sql = (struct sql *)conn->state;
    if (conn->ended)
        return mysql_ended(pass, conn, sql);
    struct stream *stream = &conn->streams[pass->direction & 1];
    for (int n = 0; n < 4; n++) {
        if (sql->phase != ASKED && sql->phase != LOGGING_IN)
            break;
        if (!pass->left && !next_piece(pass))
            return 0;
        u32 got = gather(pass, stream);
        if (!got)
            continue;
        if (!sql->first)
            sql->first = pass->now;
        u64 total = got < 4 ? HEAD_BYTES : 4 + little_24(pass->head);
        if (!IS_WHOLE(got, total)) {
            keep(pass, stream, got);
            continue;
        }
        took(pass, stream, got, total);
        if (sql->phase == ASKED)
            mysql_answered(pass, conn, sql);
        else
            mysql_logged_in(pass, conn, sql);
    }
    if (sql->phase == ANSWERING)
        mysql_rest(pass, conn, sql);
    return 0;
}
