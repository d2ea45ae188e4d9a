/* Reads what oslo.messaging puts into a message's body, and says to rpc.bpf.c what came. */

/* ------------------------------------------------------------------ the envelope */

/* Letters of the name that begins at PLACE, up to a backslash: an escaped quote ends it. */
static __always_inline void spell(struct pass *pass)
{
    volatile u64 *length = &pass->words[3];
    u64 place = PLACE(pass);
    *length = 0;
    for (u32 n = 0; n < 64; n += 8) {
        u64 hit = zero_bytes(word_of(pass, place + n) ^ (ONES * '\\'));
        if (hit) {
            *length = n + first_place(hit);
            break;
        }
    }
    SPELT(pass) = *length;
}

/* The head of a body is in the window. */
static __always_inline u32 read_envelope(struct pass *pass, struct content *content, u64 here)
{
    u64 key = word_of(pass, 44);
    content->kind = BODY_PLAIN;
    if (here < SHORTEST_ENVELOPE || word_of(pass, 0) != PACKED(ENVELOPE, 0) ||
        word_of(pass, 8) != PACKED(ENVELOPE, 8) || word_of(pass, 24) != PACKED(ENVELOPE, 24) ||
        word_of(pass, 32) != PACKED(ENVELOPE, 32))
        return A_FRAME;
    content->from = content->size > TAIL_BYTES + OVERLAP ? content->size - TAIL_BYTES : OVERLAP;
    PLACE(pass) = 0;
    if (key == PACKED("method\\\"", 0)) {
        content->kind = BODY_REQUEST;
        PLACE(pass) = 56;
    } else if (key == PACKED("message_", 0)) {
        content->kind = BODY_NOTICE;
        content->from = OVERLAP;
    } else if (key == PACKED("result\\\"", 0)) {
        content->kind = BODY_REPLY;
        if (word_of(pass, 54) == PACKED("null, \\\"", 0) && word_of(pass, 73) == PACKED("\\\"{\\\\\\\"c", 0)) {
            content->flags = REPLY_FAILED;
            PLACE(pass) = 95;
        }
    }
    content->name = NAME_OTHER;
    if (!PLACE(pass))
        return A_FRAME;
    spell(pass);
    if (!SPELT(pass))
        return A_FRAME;
    u64 *known = number_of_name(pass);
    if (!known) {
        content->kind = BODY_UNKNOWN;
        return UNKNOWN_NAME;
    }
    content->name = *known;
    return A_FRAME;
}

#define FOUND(pass) (*(volatile u64 *)&(pass)->words[5]) /* 0: nothing; else where the quote before a key stands, and 8 */
#define WHICH(pass) (*(volatile u64 *)&(pass)->words[6])
enum { THE_CALL_ID, THE_UNIQUE_ID };

/* Looks from `from` on in `here` bytes for the first of the keys that begin with an underscore and are ours. A quote and an underscore
 * stand together in one of the words that overlap by a byte. */
static __always_inline void find_key(struct pass *pass, u64 from, u64 here, u32 steps)
{
    volatile u64 *at = &pass->words[7];
    FOUND(pass) = 0;
    *at = from;
    for (u32 n = 0; n < steps; n++) {
        u64 place = *at;
        if (place >= here)
            return;
        *at = place + 7;
        u64 word = word_of(pass, place), quotes = word ^ (ONES * '"'), lines = word ^ (ONES * '_');
        u64 hit = zero_bytes(quotes) & zero_bytes(lines) >> 8;
        if (!hit)
            continue;
        place += first_place(hit);
        word = word_of(pass, place + 1);
        if (place < here && (word == PACKED(CALL_ID, 0) || word == PACKED(UNIQUE_ID, 0))) {
            WHICH(pass) = word == PACKED(UNIQUE_ID, 0);
            FOUND(pass) = place + 8;
            break;
        }
    }
}

/* True when there is nothing more to be looked for. */
static __always_inline int read_key(struct pass *pass, struct content *content, u64 here)
{
    u64 begin = FOUND(pass) - 8, value = begin + 1 + sizeof(CALL_ID) - 1;
    if (!FOUND(pass))
        return 0;
    if (WHICH(pass) == THE_UNIQUE_ID)
        return 1;
    if (value + ID_BYTES + 8 > here)
        return 0;
    u64 id = mixed(mixed(word_of(pass, value), word_of(pass, value + 8)), word_of(pass, value + 16));
    content->id = mixed(id, word_of(pass, value + 24));
    content->flags |= HAS_ID;
    if (begin >= 9 && word_of(pass, begin - 9) == PACKED(" false, ", 0))
        content->flags |= REPLY_GOES_ON;
    return 1;
}

/* The number of a method in a namespace. */
static __always_inline u64 number_in_space(u64 space, u64 method)
{
    u64 number = mixed(space, method) | NAMES_BEGIN;
    struct rpc_space both = {space, method};
    if (method == NAME_OTHER || rpc_spaces.lookup(&number))
        return method == NAME_OTHER ? method : number;
    rpc_spaces.insert(&number, &both);
    if (rpc_spaces.lookup(&number))
        return number;
    lose(LOST_RPC_FULL);
    return NAME_OTHER;
}

/* A request's namespace stands before its version, and that before the key that was found. SPELT letters at PLACE; 0
 * where there is none: then the arguments, which are in braces, end before the version. */
static __always_inline void find_space(struct pass *pass)
{
    volatile u64 *at = &pass->words[8];
    u64 begin = FOUND(pass) - 8, version = 0;
    SPELT(pass) = 0;
    if (begin < 19 + LONGEST_VERSION)
        return;
    for (u32 n = 0; n < LONGEST_VERSION; n++)
        if (word_of(pass, begin - 19 - n) == PACKED(VERSION, 0)) {
            version = begin - 19 - n;
            break;
        }
    if (version < 6 || byte_of(pass, version - 5) != '"')
        return;
    u64 end = version - 6;
    *at = end;
    for (u32 n = 0; n < LONGEST_SPACE; n++) {
        u64 place = *at - 1;
        if (byte_of(pass, place) == '"')
            break;
        *at = place;
    }
    if (*at < 14 || *at > end || word_of(pass, *at - 14) != PACKED("amespace", 0))
        return;
    PLACE(pass) = *at;
    SPELT(pass) = end - *at;
}

/* UNKNOWN_NAME where amqp_learn must learn the namespace first. */
static __always_inline u32 read_space(struct pass *pass, struct content *content)
{
    if (content->kind != BODY_REQUEST || !FOUND(pass))
        return A_FRAME;
    find_space(pass);
    if (!SPELT(pass))
        return A_FRAME;
    u64 *known = number_of_name(pass);
    if (!known)
        return UNKNOWN_NAME;
    content->name = number_in_space(*known, content->name);
    return A_FRAME;
}

/* So much of the frame's payload has been looked at; behind its end comes one byte more. */
static __always_inline void use_body(struct pass *pass, struct stream *stream, struct side_of_amqp *side, u64 some)
{
    struct content *content = &side->content;
    u64 ends = some >= side->left;
    use(pass, stream, 0, some + ends);
    side->left -= some;
    content->done += some;
    if (!ends)
        return;
    side->mode = AT_FRAME;
    if (content->done >= content->size)
        count_content(pass, content);
}

/* `place`: of the program to go on with, if it is not this one. */
static __always_inline void read_body(struct pass *pass, struct conn *conn, struct stream *stream,
                                      struct side_of_amqp *side, u32 *place)
{
    struct content *content = &side->content;
    u64 there = THERE(pass), left = side->left, here = there < left ? there : left;
    if (here > WINDOW_BYTES)
        here = WINDOW_BYTES;
    if (content->kind == BODY_UNKNOWN) {
        if (here < left && here < WINDOW_BYTES) {
            wait_for_more(pass, stream);
            return;
        }
        if (read_envelope(pass, content, here) == UNKNOWN_NAME) {
            pass->back = CALL_RPC_BODY;
            *place = CALL_AMQP_LEARN;
            return;
        }
    }
    if (content->kind == BODY_PLAIN || content->kind == BODY_READ) {
        use_body(pass, stream, side, left);
        return;
    }
    if (content->from > content->done) {
        u64 jump = content->from - content->done;
        use_body(pass, stream, side, jump < left ? jump : left);
        return;
    }
    if (content->kind == BODY_NOTICE) {
        *place = CALL_RPC_NOTICE;
        return;
    }
    find_key(pass, 0, here, WINDOW_BYTES / 7 + 1);
    if (read_key(pass, content, here) || (here == left && content->done + left >= content->size)) {
        if (!FOUND(pass))
            lose(LOST_UNREAD);
        if (read_space(pass, content) == UNKNOWN_NAME) {
            pass->back = CALL_RPC_BODY;
            *place = CALL_AMQP_LEARN;
            return;
        }
        rpc_came(pass, conn, content);
        use_body(pass, stream, side, left);
    } else if (here == left) {
        u64 some = here < OVERLAP ? here : OVERLAP - 1, from = here - some; /* it goes on in another frame */
        for (u32 n = 0; n < HEAD_BYTES / 8; n++)
            content->carry[n] = word_of(pass, from + 8 * n);
        content->carried = some;
        use_body(pass, stream, side, left);
    } else if (here > BEFORE + OVERLAP) {
        use_body(pass, stream, side, (FOUND(pass) ? FOUND(pass) - 8 : here) - BEFORE);
        *place = CALL_RPC_SCAN;
    } else {
        wait_for_more(pass, stream);
    }
}

int rpc_body(struct exited *at)
{
    struct pass *pass = pass_here();
    struct conn *conn = pass ? amqp_of(pass) : 0;
    if (!conn)
        return 0;
    struct amqp *amqp = (struct amqp *)conn->state;
    struct stream *stream = &conn->streams[pass->direction & 1];
    struct side_of_amqp *side = &amqp->sides[pass->direction & 1];
    u32 place = CALL_RPC_BODY;
    if (!go_to_next(pass, stream))
        return 0;
    if (!bring(pass, stream))
        return amqp_lost_its_way(conn);
    if (THERE(pass))
        read_body(pass, conn, stream, side, &place);
    if (!pass->left && !pass->rest)
        return 0;
    return amqp_goes_on(at, pass, conn, side->mode == AT_FRAME ? CALL_AMQP_FRAMES : place);
}

enum { /* in the order of PRIORITIES in rpc.py */
    NO_PRIORITY, IS_AUDIT, IS_CRITICAL, IS_DEBUG, IS_ERROR, IS_INFO, IS_SAMPLE, IS_WARN
};

static __always_inline u32 priority_of(u64 word)
{
    switch (word & 0xff) {
    case 'A':
        return IS_AUDIT;
    case 'C':
        return IS_CRITICAL;
    case 'D':
        return IS_DEBUG;
    case 'E':
        return IS_ERROR;
    case 'I':
        return IS_INFO;
    case 'S':
        return IS_SAMPLE;
    case 'W':
        return IS_WARN;
    }
    return NO_PRIORITY;
}

#define EVENT_TYPE "\"event_type\\\": \\\""
#define PRIORITY_KEY 20 /* bytes from the end of an event's name to the letters of its priority */
#define NOTICE_HEAD 192

/* Places of `"event_t` in the window: FOUND. */
static __always_inline void find_event(struct pass *pass, u64 here)
{
    volatile u64 *at = &pass->words[7];
    FOUND(pass) = 0;
    *at = 0;
    for (u32 n = 0; n < NOTICE_HEAD; n++) {
        u64 place = *at;
        if (place >= here)
            return;
        *at = place + 1;
        if (word_of(pass, place) == PACKED(EVENT_TYPE, 0)) {
            FOUND(pass) = place + sizeof(EVENT_TYPE) - 1;
            break;
        }
    }
}

/* A notification: its event's name and its priority follow one another, behind ids of message and publisher. */
int rpc_notice(struct exited *at)
{
    struct pass *pass = pass_here();
    struct conn *conn = pass ? amqp_of(pass) : 0;
    if (!conn)
        return 0;
    struct amqp *amqp = (struct amqp *)conn->state;
    struct stream *stream = &conn->streams[pass->direction & 1];
    struct side_of_amqp *side = &amqp->sides[pass->direction & 1];
    struct content *content = &side->content;
    if (!go_to_next(pass, stream))
        return 0;
    if (!bring(pass, stream))
        return amqp_lost_its_way(conn);
    u64 there = THERE(pass), left = side->left, here = there < left ? there : left;
    if (here < left && here < WINDOW_BYTES) {
        wait_for_more(pass, stream);
        return pass->rest ? amqp_goes_on(at, pass, conn, CALL_RPC_NOTICE) : 0;
    }
    find_event(pass, here);
    if (FOUND(pass)) {
        PLACE(pass) = FOUND(pass);
        spell(pass);
        u64 *known = number_of_name(pass);
        if (!known) {
            pass->back = CALL_RPC_NOTICE;
            return amqp_goes_on(at, pass, conn, CALL_AMQP_LEARN);
        }
        content->name = *known;
        content->priority = priority_of(word_of(pass, PLACE(pass) + SPELT(pass) + PRIORITY_KEY));
    } else {
        lose(LOST_UNREAD);
    }
    rpc_came(pass, conn, content);
    use_body(pass, stream, side, left);
    if (!pass->left && !pass->rest)
        return 0;
    return amqp_goes_on(at, pass, conn, CALL_AMQP_FRAMES);
}

/* Goes on to where a key may be: the rest of a body that has none in its first window. */
int rpc_scan(struct exited *at)
{
    struct pass *pass = pass_here();
    struct conn *conn = pass ? amqp_of(pass) : 0;
    if (!conn)
        return 0;
    struct amqp *amqp = (struct amqp *)conn->state;
    struct stream *stream = &conn->streams[pass->direction & 1];
    struct side_of_amqp *side = &amqp->sides[pass->direction & 1];
    FOUND(pass) = 0;
    for (int turn = 0; turn < SCAN_TURNS; turn++) {
        u64 piece = pass->left, left = side->left;
        if (stream->have || stream->skip || piece < SCAN_BYTES_OF_BODY || left <= SCAN_BYTES_OF_BODY || side->mode != AT_BODY)
            break;
        if (bpf_probe_read_user(pass->scan, SCAN_BYTES_OF_BODY, (void *)pass->at))
            break;
        /* What has been looked at before is kept for what stands before a key, less the beginning of one. */
        find_key(pass, BEFORE - 16, SCAN_BYTES_OF_BODY, SCAN_BYTES_OF_BODY / 7);
        u64 some = FOUND(pass) ? FOUND(pass) - 8 : SCAN_BYTES_OF_BODY;
        if (some < BEFORE)
            break;
        some -= BEFORE;
        pass->at += some;
        pass->left = piece - some;
        side->left = left - some;
        side->content.done += some;
        if (FOUND(pass))
            break;
    }
    int more = !FOUND(pass) && !stream->have && pass->left >= SCAN_BYTES_OF_BODY && side->left > SCAN_BYTES_OF_BODY;
    return amqp_goes_on(at, pass, conn, more ? CALL_RPC_SCAN : CALL_RPC_BODY);
}
