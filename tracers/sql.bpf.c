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
    u8 verbs_from, verbs_to, batches_from, batches_to;
    u8 verbs[VERB_QUEUE];
    u8 parsing;  /* PostgreSQL: a Parse is not answered yet */
    u8 parsed;   /* the verb of the last one */
    u8 reading;  /* a text that a digest is made of: sql_digests.h */
    u64 parse;   /* when it was sent */
    u8 ends[BATCH_QUEUE];     /* verbs_to at the end of each batch (to a Sync, or a simple query) */
    u64 batches[BATCH_QUEUE]; /* when its last byte had been sent */
    u64 last;     /* MySQL: when the last bytes of an answer came; ANSWERING */
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

/* ------------------------------------------------------------------ verbs */

#define LETTER(s, i) ((i) < sizeof(s) - 1 ? (u64)(s)[(i) < sizeof(s) ? (i) : 0] << (56 - 8 * (i)) : 0)
#define WORD(s)                                                                                                        \
    (LETTER(s, 0) | LETTER(s, 1) | LETTER(s, 2) | LETTER(s, 3) | LETTER(s, 4) | LETTER(s, 5) | LETTER(s, 6) |          \
     LETTER(s, 7))

/* Of a word's first 8 letters in capitals, the first one in the highest byte. */
static __always_inline u32 verb_of(u64 word)
{
    if (word == WORD("SELECT") || word == WORD("VALUES") || word == WORD("TABLE")) return SELECT;
    if (word == WORD("INSERT")) return INSERT;
    if (word == WORD("UPDATE")) return UPDATE;
    if (word == WORD("DELETE")) return DELETE;
    if (word == WORD("COMMIT") || word == WORD("END")) return COMMIT;
    if (word == WORD("ROLLBACK") || word == WORD("ABORT")) return ROLLBACK;
    if (word == WORD("BEGIN") || word == WORD("START")) return BEGIN;
    if (word == WORD("SET") || word == WORD("RESET")) return SET;
    if (word == WORD("SHOW")) return SHOW;
    if (word == WORD("REPLACE")) return REPLACE;
    if (word == WORD("USE")) return USE;
    if (word == WORD("CALL")) return CALL;
    if (word == WORD("PREPARE")) return PREPARE;
    if (word == WORD("EXECUTE")) return EXECUTE;
    if (word == WORD("FETCH") || word == WORD("MOVE")) return FETCH;
    if (word == WORD("DECLARE")) return DECLARE;
    if (word == WORD("CLOSE")) return CLOSE;
    if (word == WORD("DEALLOCATE")) return DEALLOCATE;
    if (word == WORD("COPY")) return COPY;
    if (word == WORD("LOAD")) return LOAD;
    if (word == WORD("CREATE")) return CREATE;
    if (word == WORD("ALTER") || word == WORD("RENAME")) return ALTER;
    if (word == WORD("DROP")) return DROP;
    if (word == WORD("TRUNCATE")) return TRUNCATE;
    if (word == WORD("LOCK")) return LOCK;
    if (word == WORD("UNLOCK")) return UNLOCK;
    if (word == WORD("SAVEPOINT")) return SAVEPOINT;
    if (word == WORD("RELEASE")) return RELEASE;
    if (word == WORD("EXPLAIN") || word == WORD("DESCRIBE") || word == WORD("DESC")) return EXPLAIN;
    if (word == WORD("ANALYZE")) return ANALYZE;
    if (word == WORD("MERGE")) return MERGE;
    if (word == WORD("GRANT")) return GRANT;
    if (word == WORD("REVOKE")) return REVOKE;
    if (word == WORD("DO")) return DO;
    if (word == WORD("VACUUM")) return VACUUM;
    if (word == WORD("LISTEN") || word == WORD("UNLISTEN")) return LISTEN;
    if (word == WORD("NOTIFY")) return NOTIFY;
    if (word == WORD("DISCARD")) return DISCARD;
    if (word == WORD("WITH")) return WITH;
    return OTHER_VERB;
}

#define BEFORE_A_WORD 8 /* blanks and parentheses that are passed over here */

/* The first word of the text that begins at `at` in the head. WITH where a scan must tell. */
static __always_inline u64 word_at(struct pass *pass, u32 at)
{
    volatile u64 *word = &pass->words[6], *letters = &pass->words[7]; /* in memory: see sql_scan */
    *word = *letters = 0;
    for (int n = 0; n < BEFORE_A_WORD + 8; n++) {
        u32 place = at + n;
        if (place >= HEAD_BYTES)
            return WORD("WITH");
        u8 letter = head_at(pass, place);
        if (!*letters && (letter == ' ' || letter == '\n' || letter == '\t' || letter == '\r' || letter == '('))
            continue;
        letter &= ~0x20;
        if (letter < 'A' || letter > 'Z' || *letters >= 8)
            break;
        *word |= (u64)letter << (56 - 8 * *letters);
        ++*letters;
    }
    return *letters ? *word : WORD("WITH");
}

/* The verb that begins at `at` in the head; through memory, so that the verifier goes on with one state, not fifty. */
static __always_inline u32 verb_at(struct pass *pass, u32 at)
{
    volatile u64 *verb = &pass->words[9];
    *verb = verb_of(word_at(pass, at));
    return *verb;
}

enum { TO_VERB, TO_QUEUE, TO_STATEMENT };
enum { PLAIN, BLOCK_COMMENT, LINE_COMMENT, SINGLE, DOUBLE, BACKTICK };

/* What a scan knows, in pass->words: in memory, so that the verifier need not follow each of its values. */
enum { TO, NAME, LETTERS, MODE, DEPTH, IN_WITH, LAST, FOUND, SO_FAR, RUN, HERE };

/* What there is of the text: in the head, where a part of it has come before this piece. */
static __always_inline void begin_scan(struct pass *pass)
{
    u64 here = pass->end - pass->text;
    if (pass->cursor < pass->before) {
        pass->text = 0;
        here = HEAD_BYTES - pass->cursor;
    }
    if ((s64)here < 0 || (s64)pass->length < 0 || pass->cursor >= HEAD_BYTES)
        here = 0;
    if (here < pass->length)
        pass->length = here;
    pass->words[SO_FAR] = pass->words[LETTERS] = pass->words[MODE] = pass->words[DEPTH] = 0;
    pass->words[IN_WITH] = pass->words[LAST] = 0;
}

/* Looks for the verb behind comments, parentheses and WITH, in what has come of the text in this piece. */
int sql_scan(struct exited *at)
{
    struct pass *pass = pass_here();
    if (!pass)
        return 0;
    struct conn *conn = conns.lookup(&pass->inode);
    if (!conn)
        return 0;
    struct sql *sql = (struct sql *)conn->state;
    if (!pass->words[RUN])
        begin_scan(pass);
    u32 length = pass->length < SCAN_BYTES ? pass->length : SCAN_BYTES;
    asm volatile("%0 &= 255" : "+r"(length));
    if (!pass->text) {
        u32 offset = pass->cursor;
        asm volatile("%0 &= 63" : "+r"(offset));
        __builtin_memcpy(pass->scan, pass->head + offset, HEAD_BYTES);
    } else if (length > SCAN_BYTES || bpf_probe_read_user(pass->scan, length, (void *)pass->text)) {
        length = 0;
    }
    volatile u64 *word = &pass->words[SO_FAR], *letters = &pass->words[LETTERS], *mode = &pass->words[MODE];
    volatile u64 *depth = &pass->words[DEPTH], *with = &pass->words[IN_WITH];
    volatile u64 *last = &pass->words[LAST], *found = &pass->words[FOUND];
    volatile u64 *here = &pass->words[HERE]; /* the compiler would else make it the only bound of the loop */
    *here = length;
    *found = UNFOUND;
    for (u32 n = 0; n < SCAN_BYTES; n++) {
        if (n >= *here)
            break;
        u8 c = pass->scan[n & (SCAN_BYTES - 1)], capital = c & ~0x20;
        if (*mode == PLAIN) {
            if (capital >= 'A' && capital <= 'Z') {
                if (*letters < 8)
                    *word |= (u64)capital << (56 - 8 * *letters);
                ++*letters;
            } else {
                if (*letters) {
                    *found = verb_of(*word);
                    *word = *letters = 0;
                    if (!*with) {
                        if (*found != WITH)
                            break;
                        *with = 1;
                        *depth = 0;
                    } else if (!*depth && *found && *found <= REPLACE) {
                        break;
                    }
                    *found = UNFOUND;
                }
                if (c == '(')
                    ++*depth;
                else if (c == ')' && *depth)
                    --*depth;
                else if (c == '\'')
                    *mode = SINGLE;
                else if (c == '"')
                    *mode = DOUBLE;
                else if (c == '`')
                    *mode = BACKTICK;
                else if (c == '#' || (c == '-' && *last == '-'))
                    *mode = LINE_COMMENT;
                else if (c == '*' && *last == '/')
                    *mode = BLOCK_COMMENT;
            }
        } else if (*mode == BLOCK_COMMENT && c == '!' && *last == '*') {
            *mode = PLAIN; /* MySQL runs what such a comment holds */
        } else if ((*mode == BLOCK_COMMENT && c == '/' && *last == '*') || (*mode == LINE_COMMENT && c == '\n') ||
                   (*mode == SINGLE && c == '\'') || (*mode == DOUBLE && c == '"') || (*mode == BACKTICK && c == '`')) {
            *mode = PLAIN;
            c = 0;
        }
        *last = c;
    }
    if (*found == UNFOUND && length == SCAN_BYTES && pass->words[RUN]++ < MOST_SCANS) {
        pass->text += SCAN_BYTES;
        pass->length -= SCAN_BYTES;
        parsers.call(at, CALL_SQL_SCAN);
    }
    u64 to = pass->words[TO];
    u32 verb = *found == UNFOUND ? OTHER_VERB : *found;
    if (to == TO_VERB)
        sql->verb = sql->prepared = verb;
    else if (to == TO_QUEUE)
        sql->verbs[(sql->verbs_to - 1) & (VERB_QUEUE - 1)] = verb;
    else if (!pass->words[NAME])
        sql->prepared = sql->parsed = verb;
    else {
        sql->parsed = verb;
        struct place place = {pass->inode, pass->words[NAME]};
        sql_prepared.update(&place, &verb);
    }
    if (begins_reading(sql)) {
        parsers.call(at, CALL_SQL_DIGEST);
        sql->reading = NOT_READING;
    }
    if (pass->left || pass->rest) {
        parsers.call(at, pass->back);
        lose(LOST_LONG);
        begin_anew(&conn->streams[pass->direction & 1]);
    }
    return 0;
}

/* Asks for a scan of the text at `offset` in the message; `end` is where the piece ends. Decides nothing: what it would
 * branch for, the verifier would follow through the rest of the caller. */
static __always_inline void ask_for_scan(struct pass *pass, u64 offset, u64 total, u64 end, u64 to, u64 name)
{
    pass->text = pass->began + offset;
    pass->length = total - offset;
    pass->end = end;
    pass->cursor = offset;
    pass->words[TO] = to;
    pass->words[NAME] = name;
    pass->words[RUN] = 0;
}

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

int sql_mysql_requests(struct exited *at)
{
    struct pass *pass = pass_here();
    struct conn *conn = pass ? conn_of(pass) : 0;
    if (!conn)
        return 0;
    struct sql *sql = (struct sql *)conn->state;
    struct stream *stream = &conn->streams[pass->direction & 1];
    if (conn->ended) {
        if (sql->phase == ASKED) {
            count_connection(pass, conn, sql, LOST_CONNECTION);
            sql->phase = IDLE;
        }
        return 0;
    }
    if (sql->phase == ASKED)
        sql->asked = pass->now; /* more of it */
    else if (conn->moved[!pass->direction])
        count_bytes(pass, conn, sql); /* of what came behind the first packet of the last answer */
    for (int n = 0; n < 6; n++) {
        if (!pass->left && !next_piece(pass))
            return 0;
        if (goes_on_reading(sql, stream)) {
            pass->back = CALL_SQL_MYSQL_REQUESTS;
            parsers.call(at, CALL_SQL_DIGEST);
            leave_reading(sql);
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
            pass->back = CALL_SQL_MYSQL_REQUESTS;
            parsers.call(at, CALL_SQL_DIGEST);
            leave_reading(sql);
        }
        if (conn->parser != CALL_SQL_MYSQL_REQUESTS || conn->unreadable)
            return 0;
    }
    parsers.call(at, CALL_SQL_MYSQL_REQUESTS);
    lose(LOST_LONG);
    begin_anew(stream);
    return 0;
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
    if (conn->ended) {
        if (sql->phase == ASKED) {
            count_connection(pass, conn, sql, LOST_CONNECTION);
            sql->phase = IDLE;
        }
        return 0;
    }
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

/* ------------------------------------------------------------------ PostgreSQL */

#define STARTUP 196608
#define CANCEL 80877102
#define SSL 80877103
#define GSS 80877104
#define LONGEST_MESSAGE (1U << 30)

static __always_inline void push_verb(struct sql *sql, u32 verb)
{
    sql->verbs[sql->verbs_to & (VERB_QUEUE - 1)] = verb;
    sql->verbs_to++;
}

static __always_inline u32 pop_verb(struct sql *sql)
{
    if (sql->verbs_from == sql->verbs_to)
        return OTHER_VERB;
    if ((u8)(sql->verbs_to - sql->verbs_from) > VERB_QUEUE)
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
    if (sql->asked || sql->batches_from == sql->batches_to)
        return sql->asked;
    if ((u8)(sql->batches_to - sql->batches_from) > BATCH_QUEUE)
        sql->batches_from = sql->batches_to - BATCH_QUEUE;
    return sql->batches[sql->batches_from & (BATCH_QUEUE - 1)];
}

#define ONES 0x0101010101010101ULL
#define HIGHS 0x8080808080808080ULL

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
        u64 some = *(u64 *)(pass->head + place), zero = (some - ONES) & ~some & HIGHS;
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
    if (sql->batches_from != sql->batches_to)
        count_connection(pass, conn, sql, LOST_CONNECTION);
    sql->batches_from = sql->batches_to;
    return 0;
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
    for (int n = 0; n < 8; n++) {
        if (!pass->left && !next_piece(pass))
            break;
        if (goes_on_reading(sql, stream)) {
            pg_text_goes_on(pass, sql);
            pass->back = CALL_SQL_PG_REQUESTS;
            parsers.call(at, CALL_SQL_DIGEST);
            leave_reading(sql);
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
        if (total < 5 || total > LONGEST_MESSAGE) {
            lose(LOST_SYNC);
            forget(conn);
            return 0;
        }
        if (!IS_WHOLE(got, total)) {
            keep(pass, stream, got);
            continue;
        }
        took(pass, stream, got, total);
        if (starting) {
            pg_start(sql, big_32(pass->head + 4));
        } else if (pg_request(pass, sql, total, end)) {
            pass->back = CALL_SQL_PG_REQUESTS;
            parsers.call(at, CALL_SQL_SCAN);
            return 0;
        } else if (begins_reading(sql)) {
            pass->back = CALL_SQL_PG_REQUESTS;
            parsers.call(at, CALL_SQL_DIGEST);
            leave_reading(sql);
        }
    }
    if (goes_on && sql->batches_to != sql->batches_from && !sql->first)
        sql->batches[(sql->batches_to - 1) & (BATCH_QUEUE - 1)] = pass->now; /* the last bytes of a long one */
    if (!pass->left && !pass->rest)
        return 0;
    parsers.call(at, CALL_SQL_PG_REQUESTS);
    lose(LOST_LONG);
    begin_anew(stream);
    return 0;
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
    if (!sql->first && (sql->asked || sql->batches_from != sql->batches_to))
        sql->first = pass->now;
    if (type == 'C') {
        sql->tagged = verb_at(pass, 5);
        pop_verb(sql);
        pg_counted(pass, conn, sql, sql->tagged, pg_rows(pass), pg_answer_digest(pass, sql, 0), 0);
    } else if (type == 'E') {
        if (sql->phase == LOGGING_IN)
            count_connection(pass, conn, sql, REFUSED);
        int asked = sql->batches_from != sql->batches_to, of_parse = sql->verbs_from == sql->verbs_to && sql->parsing;
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
    __builtin_memcpy(pass->head, pass->scan + place, HEAD_BYTES);
    sql->lost = 0;
    begin_anew(&conn->streams[pass->direction & 1]);
    if (place)
        pg_answer(pass, conn, sql);
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
        if ((total < 5 && !single) || total > LONGEST_MESSAGE) {
            lose(LOST_SYNC);
            forget(conn);
            return 0;
        }
        if (!IS_WHOLE(got, total)) {
            keep(pass, stream, got);
            continue;
        }
        took(pass, stream, got, total);
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
        parsers.call(at, CALL_SQL_PG_ANSWERS);
    sql->lost = 1; /* too many for one system call: no more of them is looked at than the last */
    parsers.call(at, CALL_SQL_PG_END);
    return 0;
}

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
