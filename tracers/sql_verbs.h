/* What a statement does: its verb, by its first words, in a message's head or further on in its text. */

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
        copy_head(pass->scan, pass->head + offset);
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
    if (!pass->left && !pass->rest)
        return 0;
    return sql_goes_on(at, &conn->streams[pass->direction & 1], pass->back);
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
