/* Counts by digest: a statement's text is read in the kernel, through sql_text.h, and counted under the hash of what that
 * leaves of it. What leaves the kernel is this text, once, and numbers.
 *
 * Compiled in where the parameter `digests` asks for it. A text is read behind a tail call, from the head of its message and
 * then from the rest of it as it comes, over pieces and system calls, up to TEXT_READ bytes.
 */

#if PARAMETER_SQL_DIGESTS

/* The mask in assembler, because the compiler drops one that it can prove and the verifier cannot. */
#define BOUND(place, mask) asm volatile("%0 &= %1" : "+r"(place) : "i"(mask))

#include "sql_text.h"

#define MOST_DIGESTS 4096
#define READ_AT_ONCE 256 /* with what there is in the head */
#define MOST_READS 10 /* of texts in one system call; each takes a tail call, and one back */
#define MOST_TEXTS 8  /* that are begun in it: the others leave enough to count what comes behind them */

enum { TO_COMMAND, TO_SIMPLE, TO_PREPARED };

struct digested {
    u32 program;
    u8 system;
    u8 side;
    u16 unused;
    u64 digest; /* 0: not known, or none of its own */
};
struct digest_spent {
    u64 calls, spent, rows, errors;
};
struct digest_text {
    u8 length;
    u8 cut;
    u8 unused[6];
    char text[TEXT_BYTES];
};

/* What is known of a connection, besides struct sql. */
struct told {
    u64 digest;   /* MySQL: of the present command */
    u64 prepared; /* of the last statement prepared without a name, or by direct execution */
    u64 bound, parsed;
    u64 queue[VERB_QUEUE]; /* PostgreSQL: of statements sent and not answered */
    u8 ends[BATCH_QUEUE];  /* `to` at the end of each batch */
    u8 from, to;
    u8 escapes; /* MySQL: whether a backslash is more than one */
    u8 unused[5];
};

/* A text that is being read. */
struct reading {
    struct text text;
    u64 name;
    u32 to;
    u32 given; /* a statement of this text has its digest */
    char out[TEXT_BYTES];
};
struct reader {
    struct text text; /* as in struct reading, from here */
    u64 name;
    u32 to;
    u32 given;
    u64 inode, now;        /* of the pass that it is of */
    u64 head_at, head_end; /* the part of the text that stands in pass->head */
    u64 place, length;     /* in pass->scan */
    u64 limit, last;       /* places to read there; whether they are the text's last ones */
    char out[TEXT_ROOM];
    struct digest_text made;
};

BPF_TABLE("percpu_hash", struct digested, struct digest_spent, sql_digests, 2 * MOST_DIGESTS);
BPF_TABLE("hash", u64, struct digest_text, sql_texts, MOST_DIGESTS);
BPF_TABLE("lru_hash", u64, struct told, sql_told, CONNECTIONS);
BPF_TABLE("lru_hash", struct place, u64, sql_known, 16384); /* prepared statement → digest */
BPF_TABLE("lru_hash", u64, struct reading, sql_readings, 1024);
BPF_PERCPU_ARRAY(sql_reader, struct reader, 1);
BPF_PERCPU_ARRAY(sql_machine, struct machine, 1); /* each CPU makes its own: nobody waits for another's */
BPF_PERCPU_ARRAY(sql_told_blank, struct told, 1); /* never written to */

static __always_inline struct told *told_of(struct pass *pass)
{
    struct told *told = sql_told.lookup(&pass->inode);
    if (told)
        return told;
    int zero = 0;
    struct told *blank = sql_told_blank.lookup(&zero);
    if (blank)
        sql_told.insert(&pass->inode, blank);
    return sql_told.lookup(&pass->inode);
}

/* A statement under its digest; under 0 where there is no room for it. */
static __always_inline void count_digest(struct pass *pass, struct conn *conn, struct sql *sql, u64 digest, u64 spent,
                                         u64 rows, u64 failed)
{
    struct digested key = {pass->program, sql->system, conn->side, 0, digest};
    struct digest_spent none = {}, *found = sql_digests.lookup(&key);
    if (!found) {
        key.digest = 0;
        sql_digests.insert(&key, &none); /* first, so that it is there when no other has room */
        key.digest = digest;
        sql_digests.insert(&key, &none);
        found = sql_digests.lookup(&key);
        if (!found) {
            lose(LOST_UNDIGESTED);
            key.digest = 0;
            found = sql_digests.lookup(&key);
        }
        if (!found) {
            lose(LOST_SQL_FULL);
            return;
        }
    }
    found->calls++;
    found->spent += spent;
    found->rows += rows;
    found->errors += failed;
}

static __always_inline void push_digest(struct sql *sql, struct told *told, u64 digest)
{
    told->queue[told->to & (VERB_QUEUE - 1)] = digest;
    told->to++;
    told->ends[(sql->batches_to - 1) & (BATCH_QUEUE - 1)] = told->to;
}

/* The digest of a statement whose text has been read, which is 0 where that cannot be said. */
static __always_inline void give_digest(struct pass *pass, struct sql *sql, struct told *told, struct reader *reader,
                                        u64 digest)
{
    if (reader->to == TO_COMMAND) {
        told->digest = digest;
    } else if (reader->to == TO_SIMPLE) {
        push_digest(sql, told, digest);
    } else {
        told->parsed = digest;
        if (reader->name) {
            struct place place = {pass->inode, reader->name};
            sql_known.update(&place, &digest);
        } else {
            told->prepared = digest;
        }
    }
    reader->given = 1;
}

/* A text begins at `at` in the head of a message of `total` bytes. */
static __always_inline void begin_reading(struct pass *pass, struct sql *sql, struct told *told, u64 at, u64 total,
                                          u64 to, u64 name)
{
    int zero = 0;
    struct reader *reader = sql_reader.lookup(&zero);
    if (!reader)
        return;
    begin_text(&reader->text, sql->system == POSTGRESQL, told->escapes);
    reader->to = to;
    reader->name = name;
    reader->given = 0;
    reader->inode = pass->inode;
    reader->now = pass->now;
    reader->head_at = at;
    reader->head_end = total < HEAD_BYTES ? total : HEAD_BYTES;
    /* Should it not come to an end: */
    if (to == TO_SIMPLE)
        told->ends[(sql->batches_to - 1) & (BATCH_QUEUE - 1)] = told->to;
    else
        give_digest(pass, sql, told, reader, 0);
    reader->given = 0;
    if (pass->runs < MOST_TEXTS)
        sql->reading = BEGUN;
    else
        lose(LOST_UNDIGESTED);
}

/* The digest of the text that was read, which is kept under it. 0: there is none, or no room. */
static __always_inline u64 digest_of(struct reader *reader, u64 cut)
{
    end_text(&reader->text);
    u64 length = reader->text.at[SLOT_NOW].length, digest = reader->text.at[SLOT_NOW].hash;
    if (!length)
        return 0;
    if (cut)
        digest = (digest ^ 1) * FNV_TIMES;
    if (sql_texts.lookup(&digest))
        return digest;
    struct digest_text *made = &reader->made;
    made->cut = cut || length > TEXT_BYTES;
    if (length > TEXT_BYTES)
        length = TEXT_BYTES;
    made->length = length;
    __builtin_memcpy(made->text, reader->out, TEXT_BYTES);
    volatile u64 *place = &reader->place; /* behind it 0: nothing of another text */
    *place = length;
#pragma clang loop unroll(disable)
    for (int n = 0; n < TEXT_BYTES; n++) {
        u64 at = *place;
        if (at >= TEXT_BYTES)
            break;
        made->text[at] = 0;
        *place = at + 1;
    }
    sql_texts.insert(&digest, made);
    if (sql_texts.lookup(&digest))
        return digest;
    lose(LOST_UNDIGESTED);
    return 0;
}

/* Brings the next bytes of the text into pass->scan: what is left of it in the head, then from the piece. True when they
 * are the last ones. */
static __always_inline u64 bring_text(struct pass *pass, struct stream *stream, struct reader *reader)
{
    u64 offset = reader->head_at, here = reader->head_end - offset, length;
    reader->place = 0;
    if (here) {
        BOUND(offset, 63);
        copy_head(pass->scan, pass->head + offset);
    }
    length = stream->skip < pass->left ? stream->skip : pass->left;
    if (length > READ_AT_ONCE - here)
        length = READ_AT_ONCE - here;
    reader->length = here + length;
    BOUND(here, 127);
    BOUND(length, 511);
    if (here > HEAD_BYTES || length > READ_AT_ONCE || bpf_probe_read_user(pass->scan + here, length, (void *)pass->at)) {
        reader->text.said = SQL_CUT;
        reader->length = 0;
        return 0;
    }
    return reader->length - here == stream->skip;
}

/* What was read of it is read. */
static __always_inline void took_text(struct pass *pass, struct stream *stream, struct reader *reader)
{
    u64 read = reader->place < reader->length ? reader->place : reader->length;
    u64 here = reader->head_end - reader->head_at;
    reader->text.read += read;
    if (here > read)
        here = read;
    read -= here;
    reader->head_at += here;
    pass->at += read;
    pass->left -= read;
    stream->skip -= read;
}

/* False where what was read of the text is not known any more: nobody can say what the bytes behind it are. */
static __always_inline int take_up_reading(struct pass *pass, struct sql *sql, struct reader *reader)
{
    if (sql->reading == BEGUN)
        return reader->inode == pass->inode && reader->now == pass->now;
    struct reading *kept = sql_readings.lookup(&pass->inode);
    if (!kept)
        return 0;
    __builtin_memcpy(reader, kept, offsetof(struct reading, out));
    __builtin_memcpy(reader->out, kept->out, TEXT_BYTES);
    reader->inode = pass->inode;
    reader->now = pass->now;
    reader->head_at = reader->head_end = 0;
    sql->reading = BEGUN;
    return 1;
}

/* For the next piece, or system call. */
static __always_inline void keep_reading(struct pass *pass, struct sql *sql, struct reader *reader)
{
    sql_readings.update(&pass->inode, (struct reading *)reader);
    struct reading *kept = sql_readings.lookup(&pass->inode);
    sql->reading = NOT_READING;
    if (!kept)
        return;
    __builtin_memcpy(kept->out, reader->out, TEXT_BYTES);
    sql->reading = KEPT;
}

static __always_inline void go_back(struct exited *at, struct pass *pass, struct stream *stream)
{
    if (!pass->left && !pass->rest)
        return;
    parsers.call(at, pass->back);
    lose(LOST_LONG);
    begin_anew(stream);
}

/* Makes the machine's tables of this CPU, and goes on. */
int sql_machine_made(struct exited *at)
{
    int zero = 0;
    struct machine *machine = sql_machine.lookup(&zero);
    if (!machine)
        return 0;
    build_bytes(machine);
    build_actions(machine);
    build_folds(machine);
    machine->ready = 1;
    parsers.call(at, CALL_SQL_DIGEST);
    return 0;
}

int sql_digest(struct exited *at)
{
    int zero = 0;
    struct machine *machine = sql_machine.lookup(&zero);
    struct pass *pass = pass_here();
    struct conn *conn = pass ? conns.lookup(&pass->inode) : 0;
    struct reader *reader = sql_reader.lookup(&zero);
    struct told *told = conn ? told_of(pass) : 0;
    if (!conn || !reader || !told || !machine)
        return 0;
    struct sql *sql = (struct sql *)conn->state;
    struct stream *stream = &conn->streams[pass->direction & 1];
    pass->runs++;
    if (!machine->ready)
        parsers.call(at, CALL_SQL_MACHINE_MADE);
    if (!machine->ready || !take_up_reading(pass, sql, reader)) {
        lose(LOST_UNDIGESTED);
        sql->reading = NOT_READING;
        go_back(at, pass, stream);
        return 0;
    }
    reader->text.said = SQL_TAKEN;
    reader->last = bring_text(pass, stream, reader);
    pass->scan[reader->length & 511] = 0;
    reader->limit = reader->text.said == SQL_CUT ? 0 : reader->length + reader->last;
#pragma clang loop unroll(disable)
    for (int n = 0; n < READ_AT_ONCE + 4; n++) {
        asm volatile("" ::: "memory"); /* all of it lies in the map, where the verifier does not tell values apart */
        u64 place = reader->place;
        if (place >= reader->limit)
            break;
        u64 is_end = unknown((reader->length - 1 - place) >> 63);
        BOUND(place, 511);
        take_byte(&reader->text, machine, reader->out, pass->scan[place] | is_end << 8);
        u64 said = reader->text.said;
        reader->place += 1 - if_none(said ^ SQL_AGAIN);
        reader->limit *= unknown((said - SQL_AGAIN - 1) >> 63);
    }
    asm volatile("" ::: "memory");
    took_text(pass, stream, reader);
    u64 said = reader->text.said, full = reader->text.read >= TEXT_READ;
    if (said <= SQL_AGAIN && !full && (reader->last || pass->left || reader->head_at < reader->head_end)) {
        if (pass->runs < MOST_READS)
            parsers.call(at, CALL_SQL_DIGEST);
        lose(LOST_UNDIGESTED);
        sql->reading = NOT_READING;
    } else if (said <= SQL_AGAIN && !full) {
        keep_reading(pass, sql, reader);
    } else {
        u64 cut = said <= SQL_AGAIN || said == SQL_CUT || (said == SQL_ENDS && is_broken_off(&reader->text));
        u64 digest = digest_of(reader, cut);
        if (digest || (said != SQL_STATEMENT_ENDS && !reader->given))
            give_digest(pass, sql, told, reader, digest);
        if (said == SQL_STATEMENT_ENDS) {
            u32 read = reader->text.read;
            begin_text(&reader->text, 1, told->escapes);
            reader->text.read = read;
            if (pass->runs < MOST_READS)
                parsers.call(at, CALL_SQL_DIGEST);
            lose(LOST_UNDIGESTED);
        }
        sql->reading = NOT_READING;
    }
    go_back(at, pass, stream);
    return 0;
}

/* ------------------------------------------------------------------ what the protocols tell */

static __always_inline void mysql_command_digest(struct pass *pass, struct sql *sql, u64 total)
{
    struct told *told = told_of(pass);
    if (!told)
        return;
    u32 command = pass->head[4];
    sql->reading = NOT_READING;
    told->digest = 0;
    if (command == COM_QUERY || command == COM_STMT_PREPARE) {
        begin_reading(pass, sql, told, 5, total, TO_COMMAND, 0);
    } else if (command == COM_STMT_EXECUTE || command == COM_STMT_BULK_EXECUTE) {
        struct place place = {pass->inode, little_32(pass->head + 5)};
        u64 *known = place.id == LAST_PREPARED ? &told->prepared : sql_known.lookup(&place);
        told->digest = known ? *known : 0;
    }
}

/* Of an answer; `prepared` is the number of the statement that it is about, where it was prepared. */
static __always_inline u64 mysql_answer_digest(struct pass *pass, struct sql *sql, u32 kind)
{
    struct told *told = told_of(pass);
    if (!told || sql->tagged != TO_PREPARE)
        return told ? told->digest : 0;
    if (!kind) {
        struct place place = {pass->inode, little_32(pass->head + 5)};
        u64 digest = told->digest;
        sql_known.update(&place, &digest);
        told->prepared = digest;
    }
    return 0;
}

#define NO_BACKSLASH_ESCAPES 2 /* in the second byte of the status */

static __always_inline void mysql_told_status(struct pass *pass, u32 second)
{
    struct told *told = told_of(pass);
    if (told)
        told->escapes = second & NO_BACKSLASH_ESCAPES ? ESCAPE_NO : ESCAPE_YES;
}

/* More of a text has come, perhaps the last of it. */
static __always_inline void pg_text_goes_on(struct pass *pass, struct sql *sql)
{
    if (sql->batches_to != sql->batches_from && !sql->first)
        sql->batches[(sql->batches_to - 1) & (BATCH_QUEUE - 1)] = pass->now;
}

/* A query or a Parse whose text begins at the cursor. */
static __always_inline void pg_text_digest(struct pass *pass, struct sql *sql, u64 total, u64 at, int query, u64 name)
{
    struct told *told = told_of(pass);
    if (!told)
        return;
    sql->reading = NOT_READING;
    if (at < HEAD_BYTES) {
        begin_reading(pass, sql, told, at, total, query ? TO_SIMPLE : TO_PREPARED, name);
        return;
    }
    lose(LOST_UNDIGESTED); /* the name alone fills the head */
    told->parsed = told->prepared = 0;
}

static __always_inline void pg_request_digest(struct pass *pass, struct sql *sql, u8 type, u64 name)
{
    if (type != 'B' && type != 'E' && type != 'F' && type != 'S')
        return;
    struct told *told = told_of(pass);
    if (!told)
        return;
    if (type == 'B') {
        struct place place = {pass->inode, name};
        u64 *known = name ? sql_known.lookup(&place) : &told->prepared;
        told->bound = known ? *known : 0;
    } else if (type == 'S') {
        told->ends[(sql->batches_to - 1) & (BATCH_QUEUE - 1)] = told->to;
    } else {
        push_digest(sql, told, type == 'E' ? told->bound : 0);
    }
}

/* Of the statement that is answered. */
static __always_inline u64 pg_answer_digest(struct pass *pass, struct sql *sql, u32 of_parse)
{
    struct told *told = told_of(pass);
    if (!told)
        return 0;
    if (of_parse)
        return told->parsed;
    u8 end = sql->batches_from == sql->batches_to ? told->to : told->ends[sql->batches_from & (BATCH_QUEUE - 1)];
    if (told->from == end)
        return 0; /* not one of the next batch */
    if ((u8)(told->to - told->from) > VERB_QUEUE)
        told->from = told->to - VERB_QUEUE;
    return told->queue[told->from++ & (VERB_QUEUE - 1)];
}

/* A batch is over: what an error has left out goes. */
static __always_inline void pg_ready_digest(struct pass *pass, struct sql *sql)
{
    struct told *told = told_of(pass);
    if (told)
        told->from = told->ends[sql->batches_from & (BATCH_QUEUE - 1)];
}

/* Whether the bytes that come now are of a text that has not ended. */
static __always_inline int goes_on_reading(struct sql *sql, struct stream *stream)
{
    if (sql->reading && !stream->skip)
        sql->reading = NOT_READING; /* its place was lost */
    return sql->reading;
}

/* The text goes to the program for digests, which goes on with the one at `back`. Comes back where there are no more
 * tail calls: it has no digest. */
static __always_inline void read_digest(struct exited *at, struct pass *pass, struct sql *sql, u32 back)
{
    pass->back = back;
    parsers.call(at, CALL_SQL_DIGEST);
    lose(LOST_UNDIGESTED);
    sql->reading = NOT_READING;
}

#else

int sql_digest(struct exited *at) { return 0; }
int sql_machine_made(struct exited *at) { return 0; }

#define goes_on_reading(...) 0
#define read_digest(...)

#define count_digest(...)
#define mysql_command_digest(...)
#define mysql_answer_digest(...) 0
#define mysql_told_status(...)
#define pg_text_goes_on(...)
#define pg_text_digest(...)
#define pg_request_digest(...)
#define pg_answer_digest(...) 0
#define pg_ready_digest(...)

#endif
