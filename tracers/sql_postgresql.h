/* PostgreSQL's protocol, once a connection is known to speak it. */

/* ------------------------------------------------------------------ PostgreSQL */

#define STARTUP 196608
#define CANCEL 80877102
#define SSL 80877103
#define GSS 80877104
#define LONGEST_MESSAGE (1U << 30)

/* What goes on after as many messages as a run can look at. */
#if PARAMETER_SQL_DIGESTS
#define PG_AGAIN CALL_SQL_PG_REQUESTS
#define PG_ON CALL_SQL_PG_ANSWERS
#else
#define PG_AGAIN CALL_SQL_PG_AGAIN
#define PG_ON CALL_SQL_PG_ON
#endif

static __always_inline void push_verb(struct sql *sql, u32 verb)
{
    sql->verbs[sql->verbs_to & (VERB_QUEUE - 1)] = verb;
    sql->verbs_to++;
}

static __always_inline u32 pop_verb(struct sql *sql)
{
    if (sql->verbs_from == sql->verbs_to)
        return OTHER_VERB;
    if ((u16)(sql->verbs_to - sql->verbs_from) > VERB_QUEUE)
        sql->verbs_from = sql->verbs_to - VERB_QUEUE;
    return sql->verbs[sql->verbs_from++ & (VERB_QUEUE - 1)];
}

static __always_inline void push_batch(struct pass *pass, struct sql *sql)
{
    sql->batches[sql->batches_to & (BATCH_QUEUE - 1)] = pass->now;
    sql->ends[sql->batches_to & (BATCH_QUEUE - 1)] = sql->verbs_to;
    sql->batches_to++;
}

/* When what is answered now had been asked. */
static __always_inline u64 asked_at(struct sql *sql)
{
    if (sql->asked)
        return sql->asked;
    if (sql->batches_from == sql->batches_to) /* a batch may be answered before its end was sent */
        return sql->verbs_from == sql->verbs_to ? 0 : sql->last;
    if ((u8)(sql->batches_to - sql->batches_from) > BATCH_QUEUE)
        sql->batches_from = sql->batches_to - BATCH_QUEUE;
    return sql->batches[sql->batches_from & (BATCH_QUEUE - 1)];
}

/* The last one of so many names in the head from the cursor on: its hash, 0 for the empty one. The cursor moves behind
 * its end. Eight bytes at a time, and one loop for all that have names: what it costs the verifier is most of what the
 * program costs it. */
static __always_inline u64 name_at(struct pass *pass, u32 names)
{
    volatile u32 *cursor = &pass->cursor;
    volatile u64 *hash = &pass->words[7], *left = &pass->words[8];
    *hash = 0;
    *left = names;
    for (int n = 0; n < HEAD_BYTES / 8 + 2; n++) {
        u64 place = *cursor;
        if (place >= HEAD_BYTES)
            break;
        asm volatile("%0 &= 63" : "+r"(place));
        u64 some = *(u64 *)(pass->head + place), zero = zero_bytes(some);
        u64 before = ((zero & -zero) >> 7) - 1; /* the bytes before the first that is 0; all, where none is */
        u64 bytes = ((before & ONES) * ONES) >> 56;
        *hash = (*hash ^ (some & before)) * 0x9e3779b97f4a7c15ULL;
        *cursor = place + bytes + (zero != 0);
        if (bytes < 8) {
            if (!--*left)
                break;
            *hash = 0;
        }
    }
    return *hash;
}

static __always_inline void pg_parse(struct pass *pass, struct sql *sql, u64 name, u32 verb)
{
    sql->parsing = 1;
    sql->parsed = verb;
    sql->parse = pass->now;
    if (name) {
        struct place of = {pass->inode, name};
        sql_prepared.update(&of, &verb);
    } else {
        sql->prepared = verb;
    }
}

static __always_inline void pg_bind(struct pass *pass, struct sql *sql, u64 name)
{
    struct place of = {pass->inode, name};
    u32 *known = name ? sql_prepared.lookup(&of) : 0;
    sql->bound = !name ? sql->prepared : known ? *known : EXECUTE;
}

/* A query, or a statement that is prepared. True when the text must be scanned. */
static __always_inline int pg_text(struct pass *pass, struct sql *sql, u64 total, u64 end, u64 name)
{
    int query = pass->head[0] == 'Q';
    u32 place = *(volatile u32 *)&pass->cursor, verb = verb_at(pass, place);
    int scan = verb == WITH;
    if (scan)
        verb = OTHER_VERB;
    if (query) {
        push_verb(sql, verb);
        push_batch(pass, sql);
    } else {
        pg_parse(pass, sql, name, verb);
    }
    ask_for_scan(pass, place, total, end, query ? TO_QUEUE : TO_STATEMENT, name);
    pg_text_digest(pass, sql, total, place, query, name);
    return scan;
}

/* True when the text must be scanned. */
static __always_inline int pg_request(struct pass *pass, struct sql *sql, u64 total, u64 end)
{
    u8 type = pass->head[0];
    u64 name = 0;
    pass->cursor = 5;
    if (type == 'P' || type == 'B')
        name = name_at(pass, type == 'B' ? 2 : 1); /* of the statement, behind the portal's */
    switch (type) {
    case 'Q':
    case 'P':
        return pg_text(pass, sql, total, end, name);
    case 'B':
        pg_bind(pass, sql, name);
        break;
    case 'E':
        push_verb(sql, sql->bound);
        break;
    case 'F':
        push_verb(sql, CALL);
        push_batch(pass, sql);
        break;
    case 'S':
        push_batch(pass, sql);
        break;
    }
    pg_request_digest(pass, sql, type, name);
    return 0;
}

static __always_inline void pg_start(struct sql *sql, u32 code)
{
    sql->phase = code == SSL || code == GSS ? ENCRYPTING : code == STARTUP ? LOGGING_IN : STARTING;
}

static __always_inline int pg_lost(struct pass *pass, struct conn *conn, struct sql *sql)
{
    int asked = sql->batches_from != sql->batches_to;
    sql->batches_from = sql->batches_to;
    return at_end(pass, conn, sql, asked);
}

/* Takes the head of a message of `total` bytes, of which `got` are there. 0: the rest of it has not come yet; below 0: it
 * is none, and the connection has lost its way. */
static __always_inline int pg_take(struct pass *pass, struct conn *conn, struct stream *stream, u32 got, u64 total,
                                   u64 least)
{
    if (total < least || total > LONGEST_MESSAGE) {
        lose(LOST_SYNC);
        forget(conn);
        return -1;
    }
    if (!IS_WHOLE(got, total)) {
        keep(pass, stream, got);
        return 0;
    }
    took(pass, stream, got, total);
    return 1;
}

int sql_pg_requests(struct exited *at)
{
    struct pass *pass = pass_here();
    struct conn *conn = pass ? conn_of(pass) : 0;
    if (!conn)
        return 0;
    struct sql *sql = (struct sql *)conn->state;
    if (conn->ended)
        return pg_lost(pass, conn, sql);
    struct stream *stream = &conn->streams[pass->direction & 1];
    int goes_on = stream->skip || stream->have;
    sql->last = pass->now;
    for (int n = 0; n < 8; n++) {
        if (!pass->left && !next_piece(pass))
            break;
        if (goes_on_reading(sql, stream)) {
            pg_text_goes_on(pass, sql);
            read_digest(at, pass, sql, CALL_SQL_PG_REQUESTS);
        }
        u64 end = pass->at + pass->left, total = HEAD_BYTES;
        u32 got = gather(pass, stream);
        if (!got)
            continue;
        int starting = sql->phase == STARTING || sql->phase == ENCRYPTING;
        if (starting && got >= 8)
            total = big_32(pass->head);
        else if (!starting && got >= 5)
            total = 1 + (u64)big_32(pass->head + 1);
        int came = pg_take(pass, conn, stream, got, total, 5);
        if (came < 0)
            return 0;
        if (!came)
            continue;
        if (starting) {
            pg_start(sql, big_32(pass->head + 4));
        } else if (pg_request(pass, sql, total, end)) {
            pass->back = CALL_SQL_PG_REQUESTS;
            parsers.call(at, CALL_SQL_SCAN);
            return 0;
        } else if (begins_reading(sql)) {
            read_digest(at, pass, sql, CALL_SQL_PG_REQUESTS);
        }
    }
    if (goes_on && sql->batches_to != sql->batches_from && !sql->first)
        sql->batches[(sql->batches_to - 1) & (BATCH_QUEUE - 1)] = pass->now; /* the last bytes of a long one */
    if (!pass->left && !pass->rest)
        return 0;
    return sql_goes_on(at, stream, PG_AGAIN);
}

/* The code is a field of its own, `C`, among texts that end in 0. */
static __always_inline void pg_failed(struct pass *pass, struct conn *conn, struct sql *sql, u32 verb)
{
    struct failure key = {pass->program, sql->system, conn->side, verb};
    volatile u32 *found = &pass->cursor;
    *found = 0;
#pragma clang loop unroll(disable) /* or it is entered in its middle, which kernels before 6.4 take for no loop */
    for (u32 n = 5; n < HEAD_BYTES - 6; n++) {
        if (!pass->head[n] && pass->head[n + 1] == 'C') {
            *found = n + 2;
            break;
        }
    }
    u32 place = *found;
    asm volatile("%0 &= 63" : "+r"(place));
    if (place)
        __builtin_memcpy(key.code, &pass->head[place], 5);
    count_failure(&key);
}

static __always_inline void pg_counted(struct pass *pass, struct conn *conn, struct sql *sql, u32 verb, u64 rows,
                                       u64 digest, u64 failed)
{
    u64 asked = asked_at(sql);
    if (asked) {
        count_statement(pass, conn, sql, verb, sql->first - asked, rows);
        count_whole(pass, conn, sql, verb, pass->now - asked);
        count_digest(pass, conn, sql, digest, sql->first - asked, rows, failed);
    }
    sql->asked = pass->now; /* the next one of the same batch begins now */
    sql->first = 0;
}

/* The last number of the tag: INSERT 0 17, SELECT 3. */
static __always_inline u64 pg_rows(struct pass *pass)
{
    volatile u64 *rows = &pass->words[5];
    *rows = 0;
    for (u32 n = 5; n < 40; n++) {
        u8 c = pass->head[n];
        if (!c) /* the head is 0 behind the message */
            break;
        *rows = c >= '0' && c <= '9' ? *rows * 10 + c - '0' : 0;
    }
    return *rows;
}

static __always_inline void pg_ready(struct pass *pass, struct conn *conn, struct sql *sql)
{
    u64 asked = asked_at(sql);
    if (sql->phase == LOGGING_IN)
        count_connection(pass, conn, sql, OPENED);
    sql->phase = IDLE;
    if (sql->batches_from != sql->batches_to) {
        asked = sql->batches[sql->batches_from & (BATCH_QUEUE - 1)];
        sql->verbs_from = sql->ends[sql->batches_from & (BATCH_QUEUE - 1)]; /* what an error has left out */
        pg_ready_digest(pass, sql);
        sql->batches_from++;
    }
    if (pass->head[5] != 'I') {
        if (!sql->began)
            sql->began = asked;
    } else if (sql->began) {
        count_transaction(pass, conn, sql, sql->tagged == COMMIT ? COMMITTED : ROLLED_BACK);
    }
    sql->asked = sql->first = 0;
    sql->parsing = 0;
}

static __always_inline void pg_answer(struct pass *pass, struct conn *conn, struct sql *sql)
{
    u8 type = pass->head[0];
    u64 asked = asked_at(sql); /* before a verb is taken away */
    if (!sql->first && asked)
        sql->first = pass->now;
    if (type == 'C') {
        sql->asked = asked;
        sql->tagged = verb_at(pass, 5);
        pop_verb(sql);
        pg_counted(pass, conn, sql, sql->tagged, pg_rows(pass), pg_answer_digest(pass, sql, 0), 0);
    } else if (type == 'E') {
        if (sql->phase == LOGGING_IN)
            count_connection(pass, conn, sql, REFUSED);
        int of_parse = sql->verbs_from == sql->verbs_to && sql->parsing;
        sql->asked = asked;
        u32 verb = of_parse ? sql->parsed : pop_verb(sql);
        u64 digest = pg_answer_digest(pass, sql, of_parse);
        pg_failed(pass, conn, sql, verb);
        if (!asked && sql->parsing) /* refused before it could be asked to be executed */
            sql->asked = sql->parse, sql->first = pass->now;
        if (sql->phase == IDLE && (asked || sql->parsing))
            pg_counted(pass, conn, sql, verb, 0, digest, 1);
        sql->parsing = 0;
    } else if (type == 'I' || type == 's') {
        pop_verb(sql);
        (void)pg_answer_digest(pass, sql, 0);
        sql->first = 0;
    } else if (type == '1') {
        sql->parsing = 0;
    } else if (type == 'Z') {
        pg_ready(pass, conn, sql);
    }
}

/* One byte says whether what follows is encrypted. */
static __always_inline void pg_encryption(struct pass *pass, struct conn *conn, struct sql *sql)
{
#if PARAMETER_TLS
    if (pass->head[0] == 'S') {
        sql->phase = STARTING;
        conn->encrypting = 1;
        return;
    }
#endif
    if (pass->head[0] == 'S' || pass->head[0] == 'G')
        count_unreadable(pass, conn, sql, TLS);
    else
        sql->phase = STARTING;
}

/* In an answer with more messages than can be followed: its end, where that is the end of the bytes. The message before
 * it tells what was done. */
int sql_pg_end(struct exited *at)
{
    struct pass *pass = pass_here();
    struct conn *conn = pass ? conn_of(pass) : 0;
    if (!conn)
        return 0;
    struct sql *sql = (struct sql *)conn->state;
    u64 end = pass->at + pass->left - HEAD_BYTES;
    if (pass->left < HEAD_BYTES || pass->rest || bpf_probe_read_user(pass->scan, HEAD_BYTES, (void *)end))
        return 0;
    const u8 *ready = pass->scan + HEAD_BYTES - 6;
    if (ready[0] != 'Z' || big_32(ready + 1) != 5)
        return 0;
    volatile u32 *found = &pass->cursor;
    *found = 0;
    for (u32 length = 8; length < 48; length++) {
        const u8 *complete = ready - 1 - length;
        if (complete[0] == 'C' && big_32(complete + 1) == length) {
            *found = HEAD_BYTES - 6 - 1 - length;
            break;
        }
    }
    u32 place = *found;
    asm volatile("%0 &= 63" : "+r"(place));
    copy_head(pass->head, pass->scan + place);
    sql->lost = 0;
    begin_anew(&conn->streams[pass->direction & 1]);
    if (place)
        pg_answer(pass, conn, sql);
    if (sql->batches_from != sql->batches_to && sql->verbs_from != sql->ends[sql->batches_from & (BATCH_QUEUE - 1)])
        lose(LOST_LONG); /* they were not only rows */
    pass->head[5] = pass->scan[HEAD_BYTES - 1];
    pg_ready(pass, conn, sql);
    return 0;
}

int sql_pg_answers(struct exited *at)
{
    struct pass *pass = pass_here();
    struct conn *conn = pass ? conn_of(pass) : 0;
    if (!conn)
        return 0;
    struct sql *sql = (struct sql *)conn->state;
    if (conn->ended)
        return pg_lost(pass, conn, sql);
    struct stream *stream = &conn->streams[pass->direction & 1];
    if (sql->lost) {
        parsers.call(at, CALL_SQL_PG_END);
        return 0;
    }
    for (int n = 0; n < 16; n++) {
        if (!pass->left && !next_piece(pass))
            return 0;
        u64 total = HEAD_BYTES;
        u32 got = gather(pass, stream);
        if (!got)
            continue;
        int single = sql->phase == ENCRYPTING;
        if (single)
            total = 1;
        else if (got >= 5)
            total = 1 + (u64)big_32(pass->head + 1);
        int came = pg_take(pass, conn, stream, got, total, single ? 1 : 5);
        if (came < 0)
            return 0;
        if (!came)
            continue;
        if (single)
            pg_encryption(pass, conn, sql);
        else
            pg_answer(pass, conn, sql);
        if (conn->unreadable)
            return 0;
    }
    if (!pass->left && !pass->rest)
        return 0;
    if (pass->runs++ < MOST_RUNS)
        parsers.call(at, PG_ON);
    sql->lost = 1; /* too many for one system call: no more of them is looked at than the last */
    parsers.call(at, CALL_SQL_PG_END);
    return 0;
}
