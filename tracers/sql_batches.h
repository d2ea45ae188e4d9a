/* PostgreSQL's long batches (executemany, pipelines), whose messages go on as they began; and rows.
 *
 * A program that looks at every kind of message takes a few of them in a run, and the kernel allows 33 runs in a system
 * call: a batch of thousands would be cut. What follows passes over hundreds in a run, as long as nothing new comes. With
 * digests, where each statement has one of its own, it is not used.
 */

#if PARAMETER_SQL_DIGESTS
int sql_pg_again(struct exited *at) { return 0; }
int sql_pg_on(struct exited *at) { return 0; }
#else
#define MOST_ALIKE 400
#define ALIKE_BYTES 32 /* behind a message's type and length: names of portal and statement, or what was done */
#define LOOK_BYTES (5 + ALIKE_BYTES)

/* In pass->words: what messages are compared with, how many bytes of it, how many are like it, the type of the last. */
enum { ALIKE = 0, ALIKE_LENGTH = 4, TIMES, LAST_TYPE };

/* The next message's beginning, in pass->scan; its length, 0 where it is not whole in these bytes, or near their end. */
static __always_inline u64 next_alike(struct pass *pass)
{
    u64 left = pass->left;
    if (left < LOOK_BYTES || bpf_probe_read_user(pass->scan, LOOK_BYTES, (void *)pass->at))
        return 0;
    u64 total = 1 + (u64)big_32(pass->scan + 1);
    return total >= 5 && total <= left ? total : 0;
}

static __always_inline void pass_over(struct pass *pass, u64 total)
{
    pass->at += total;
    pass->left -= total;
}

static __always_inline void be_like(struct pass *pass, u64 length)
{
    __builtin_memcpy(&pass->words[ALIKE], pass->scan + 5, ALIKE_BYTES);
    pass->words[ALIKE_LENGTH] = length;
}

static __always_inline int is_alike(struct pass *pass)
{
    volatile u64 *length = &pass->words[ALIKE_LENGTH];
    u64 differs = 0;
    for (u32 n = 0; n < ALIKE_BYTES / 8; n++) {
        u64 some, bytes = *length - 8 * n;
        __builtin_memcpy(&some, pass->scan + 5 + 8 * n, 8);
        u64 counts = (s64)bytes <= 0 ? 0 : bytes >= 8 ? ~0ULL : (1ULL << (8 * bytes)) - 1;
        differs |= (some ^ pass->words[ALIKE + n]) & counts;
    }
    return !differs;
}

/* What is left of the last message that was looked at. */
static __always_inline void skip_rest(struct pass *pass, struct stream *stream)
{
    u64 some = stream->skip < pass->left ? stream->skip : pass->left;
    stream->skip -= some;
    pass_over(pass, some);
}

/* The first Bind of those that follow tells which statement they are of. */
static __always_inline void begin_alike(struct pass *pass, struct sql *sql)
{
    pass->words[ALIKE_LENGTH] = 0;
    u64 total = next_alike(pass);
    for (int n = 0; n < 2 && total && (pass->scan[0] == 'D' || pass->scan[0] == 'E'); n++) { /* of the one before */
        if (pass->scan[0] == 'E')
            push_verb(sql, sql->bound);
        pass_over(pass, total);
        total = next_alike(pass);
    }
    if (!total || pass->scan[0] != 'B')
        return;
    copy_head(pass->head, pass->scan);
    pass->cursor = 5;
    u64 name = name_at(pass, 2);
    u32 behind = *(volatile u32 *)&pass->cursor;
    if (behind > LOOK_BYTES)
        return;
    pg_bind(pass, sql, name);
    be_like(pass, behind - 5);
    pass_over(pass, total);
}

/* One statement with other values, again and again: Bind, perhaps Describe, and Execute. */
int sql_pg_again(struct exited *at)
{
    struct pass *pass = pass_here();
    struct conn *conn = pass ? conn_of(pass) : 0;
    if (!conn)
        return 0;
    struct sql *sql = (struct sql *)conn->state;
    struct stream *stream = &conn->streams[pass->direction & 1];
    skip_rest(pass, stream);
    if (!stream->have)
        begin_alike(pass, sql);
    for (int n = 0; n < MOST_ALIKE; n++) {
        u64 total = pass->words[ALIKE_LENGTH] ? next_alike(pass) : 0;
        if (!total)
            break;
        if (pass->scan[0] == 'E')
            push_verb(sql, sql->bound);
        else if (pass->scan[0] != 'D' && (pass->scan[0] != 'B' || !is_alike(pass)))
            break;
        pass_over(pass, total);
    }
    return sql_goes_on(at, stream, CALL_SQL_PG_REQUESTS);
}

/* The last `times` statements, which are over: what stands of each in pass->words. */
static __always_inline void count_alike(struct pass *pass, struct conn *conn, struct sql *sql, u64 times)
{
    volatile u64 *length = &pass->words[ALIKE_LENGTH];
    u64 behind = 5 + *length;
    __builtin_memcpy(pass->head + 5, &pass->words[ALIKE], ALIKE_BYTES);
    asm volatile("%0 &= 63" : "+r"(behind));
    pass->head[behind] = 0;
    sql->tagged = verb_at(pass, 5);
    u64 rows = pg_rows(pass);
    sql->asked = asked_at(sql);
    u16 waiting = sql->verbs_to - sql->verbs_from;
    sql->verbs_from += times < waiting ? times : waiting;
    pg_counted(pass, conn, sql, sql->tagged, rows, 0, 0);
    if (times > 1)
        count_more(pass, conn, sql, sql->tagged, rows, times - 1);
}

/* Rows, and what was done by one statement again and again. */
int sql_pg_on(struct exited *at)
{
    struct pass *pass = pass_here();
    struct conn *conn = pass ? conn_of(pass) : 0;
    if (!conn)
        return 0;
    struct sql *sql = (struct sql *)conn->state;
    struct stream *stream = &conn->streams[pass->direction & 1];
    skip_rest(pass, stream);
    pass->words[ALIKE_LENGTH] = pass->words[TIMES] = pass->words[LAST_TYPE] = 0;
    for (int n = 0; n < MOST_ALIKE && !stream->have; n++) {
        u64 total = next_alike(pass);
        if (!total)
            break;
        u8 type = pass->scan[0];
        if (type == 'C') {
            if (total > LOOK_BYTES)
                break;
            if (!pass->words[TIMES])
                be_like(pass, total - 5);
            else if (pass->words[ALIKE_LENGTH] != total - 5 || !is_alike(pass))
                break;
            pass->words[TIMES]++;
        } else if (type != 'D' && type != '2' && type != 'T' && type != 'n') {
            break;
        }
        pass->words[LAST_TYPE] = type;
        pass_over(pass, total);
    }
    if (pass->words[LAST_TYPE] && !sql->first)
        sql->first = pass->now;
    if (pass->words[TIMES]) {
        count_alike(pass, conn, sql, pass->words[TIMES]);
        if (pass->words[LAST_TYPE] != 'C')
            sql->first = pass->now;
    }
    if (!pass->left && !pass->rest)
        return 0;
    if (pass->runs++ < MOST_RUNS)
        parsers.call(at, CALL_SQL_PG_ANSWERS);
    sql->lost = 1;
    parsers.call(at, CALL_SQL_PG_END);
    return 0;
}
#endif
