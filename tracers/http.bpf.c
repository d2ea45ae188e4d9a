/* Follows HTTP/1.0 and 1.1, and uWSGI's binary protocol, on connections that wire.bpf.c brings, from both ends.
 *
 * Heads are scanned line by line, eight bytes at a time; of a head only the first line, Content-Length and
 * Transfer-Encoding matter, of a body only its length. A request waits in a queue for its answer. What has ids or
 * numbers in its path is folded here; what the paths mean is told in Python.
 */

enum { /* in the order of METHODS in http.py */
    METHOD_OTHER, METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_DELETE, METHOD_OPTIONS,
    METHOD_CONNECT, METHOD_TRACE
};
enum { UNREADABLE_TLS, UNREADABLE_HTTP2 };
enum { PLAIN_HTTP, UWSGI };
enum { /* of a direction: what comes next */
    AT_START,      /* a message */
    IN_PATH,       /* more of the path */
    IN_LINE,       /* more of a line */
    AT_LINE,       /* a line of a head */
    IN_BODY,       /* as many bytes as the stream is to skip */
    AT_CHUNK,      /* a chunk's length */
    IN_CHUNK_LINE, /* more of the line of a chunk's length */
    IN_CHUNK,      /* as many bytes as the stream is to skip */
    AT_TRAILER,    /* a line behind the last chunk */
    IN_TRAILER,    /* more of one */
    AT_END,        /* nothing: the message is whole */
    UNTIL_CLOSE,   /* a body that goes on to the end of the connection */
    AT_PAIR,       /* a name and a value of uWSGI's */
};
#define HTTP_QUEUE 16       /* requests in flight on one connection */
#define BLOCK_BYTES 448      /* bytes of a head that are looked at in one go, behind what is left of a line */
#define WINDOW 40      /* bytes of a line that tell what it says */
#define PATH_BYTES 128 /* of one run */
#define PAIRS 40       /* of one run */
#define LONGEST_NAME 400
#define LONGEST_VALUE 24 /* of a method or a length */
#define LINES 88       /* steps of one run: words of 8 bytes, and lines */
#define NOWHERE 1023
#define ROUTES 4096

struct asked { /* key of what is counted by request */
    u32 program;
    u8 method;
    u8 unused;
    u16 status;
    u64 route;
};
struct whole_asked {
    u32 program;
    u8 method;
    u8 unused;
    u16 status;
};
struct http_end {
    u32 program;
    u8 side;
    u8 reason;
    u16 unused;
};
struct server_times {
    u64 sum;
    u64 counts[HTTP_SERVER_SLOTS];
};
struct client_times {
    u64 sum;
    u64 counts[HTTP_CLIENT_SLOTS];
};
struct server_whole {
    u64 sum;
    u64 counts[HTTP_WHOLE_SRV_SLOTS];
};
struct client_whole {
    u64 sum;
    u64 counts[HTTP_WHOLE_CLI_SLOTS];
};
struct traffic_of_end {
    u64 requests, answers; /* bytes */
};
struct folded { /* a path whose ids are stars */
    u8 length;
    u8 text[HEAD_BYTES];
};

BPF_TABLE("hash", struct asked, struct server_times, http_server, HTTP_SERVER_ENTRIES);
BPF_TABLE("hash", struct asked, struct client_times, http_client, HTTP_CLIENT_ENTRIES);
BPF_TABLE("hash", struct whole_asked, struct server_whole, http_whole_srv, HTTP_WHOLE_SRV_ENTRIES);
BPF_TABLE("hash", struct whole_asked, struct client_whole, http_whole_cli, HTTP_WHOLE_CLI_ENTRIES);
BPF_TABLE("percpu_hash", struct http_end, struct traffic_of_end, http_bytes, HTTP_BYTES_ENTRIES);
BPF_TABLE("percpu_hash", struct http_end, u64, http_upgrades, HTTP_UPGRADES_ENTRIES);
BPF_TABLE("percpu_hash", struct http_end, u64, http_unanswered, HTTP_UNANSWERED_ENTRIES);
BPF_TABLE("percpu_hash", struct http_end, u64, http_unread, HTTP_UNREAD_ENTRIES);
BPF_TABLE("percpu_hash", struct http_end, u64, http_untimed, HTTP_UNTIMED_ENTRIES);
BPF_TABLE("hash", u64, struct folded, http_routes, ROUTES);
BPF_PERCPU_ARRAY(http_blank, struct server_times, 1); /* never written to; the largest value */

/* Of one direction. */
struct side_of_http {
    u64 length; /* of the body, as the head says; of a chunk */
    u8 mode;
    u8 chunked;
    u8 says_length;
    u8 unused;
};
struct http {
    u64 asked[HTTP_QUEUE];  /* when the last byte of the request had come */
    u64 routes[HTTP_QUEUE]; /* its route, and its method in the lowest byte */
    u64 first;         /* when the first byte of the present answer came; 0: not yet */
    u64 whole;         /* when the request had come whose answer's body comes now; 0: none, or its end cannot be seen */
    u64 hash, before;  /* of the path so far; at the beginning of its last segment */
    struct side_of_http sides[2]; /* by direction */
    u16 status;
    u16 pair;          /* uWSGI: bytes of the packet's pairs that are still to come */
    u16 value;         /* uWSGI: bytes of the path that are still to come */
    u8 protocol;
    u8 has_uri;        /* uWSGI: the path is that of REQUEST_URI, which goes before PATH_INFO */
    u16 from, to;      /* of the queue: they run over */
    u8 method, whole_method;
    u8 alone;          /* no other request was in flight when the present answer's head came */
    u8 length, length_before; /* of the folded path */
    u16 raw;                  /* bytes of the path that have been looked at */
    u8 letters, digits, no_hex, odd; /* of its last segment */
    u8 swift;                 /* all that comes are names of containers and objects */
};
_Static_assert(sizeof(struct http) <= 8 * STATE_WORDS, "http");

/* ------------------------------------------------------------------ counting */

static __always_inline struct http_end http_end_of(struct conn *conn, u32 program, u32 reason)
{
    struct http_end found = {program, conn->side, reason, 0};
    return found;
}

static __always_inline void count_upgrade(struct conn *conn, u32 program)
{
    struct http_end key = http_end_of(conn, program, 0);
    u64 none = 0;
    add(http_upgrades.lookup_or_try_init(&key, &none), 1, LOST_HTTP_FULL);
    conn->unreadable = 1;
}

static __always_inline void count_unread(struct conn *conn, u32 program, u32 reason)
{
    struct http_end key = http_end_of(conn, program, reason);
    u64 none = 0;
    add(http_unread.lookup_or_try_init(&key, &none), 1, LOST_HTTP_FULL);
    conn->unreadable = 1;
}

static __always_inline void count_untimed(struct conn *conn, u32 program)
{
    struct http_end key = http_end_of(conn, program, 0);
    u64 none = 0;
    add(http_untimed.lookup_or_try_init(&key, &none), 1, LOST_HTTP_FULL);
}

static __always_inline void count_traffic(struct conn *conn, u32 program)
{
    struct http_end key = http_end_of(conn, program, 0);
    struct traffic_of_end none = {}, *found = http_bytes.lookup_or_try_init(&key, &none);
    if (!found) {
        lose(LOST_HTTP_FULL);
        return;
    }
    found->requests += conn->moved[conn->side == CLIENT ? SENT : RECEIVED];
    found->answers += conn->moved[conn->side == CLIENT ? RECEIVED : SENT];
    conn->moved[RECEIVED] = conn->moved[SENT] = 0;
}

static __always_inline void count_server(struct asked *key, u64 spent)
{
    struct server_times *found = http_server.lookup(key);
    if (!found) {
        int zero = 0;
        struct server_times *nothing = http_blank.lookup(&zero);
        if (nothing)
            http_server.insert(key, nothing);
        found = http_server.lookup(key);
    }
    if (!found) {
        lose(LOST_HTTP_FULL);
        return;
    }
    observe_shared(&found->sum, found->counts, spent, HTTP_SERVER_FIRST, HTTP_SERVER_SLOTS);
}

static __always_inline void count_client(struct asked *key, u64 spent)
{
    struct client_times *found = http_client.lookup(key);
    if (!found) {
        int zero = 0;
        struct client_times *nothing = (struct client_times *)http_blank.lookup(&zero);
        if (nothing)
            http_client.insert(key, nothing);
        found = http_client.lookup(key);
    }
    if (!found) {
        lose(LOST_HTTP_FULL);
        return;
    }
    observe_shared(&found->sum, found->counts, spent, HTTP_CLIENT_FIRST, HTTP_CLIENT_SLOTS);
}

static __always_inline void count_whole_server(struct whole_asked *key, u64 spent)
{
    struct server_whole *found = http_whole_srv.lookup(key);
    if (!found) {
        int zero = 0;
        struct server_whole *nothing = (struct server_whole *)http_blank.lookup(&zero);
        if (nothing)
            http_whole_srv.insert(key, nothing);
        found = http_whole_srv.lookup(key);
    }
    if (!found) {
        lose(LOST_HTTP_FULL);
        return;
    }
    observe_shared(&found->sum, found->counts, spent, HTTP_WHOLE_SRV_FIRST, HTTP_WHOLE_SRV_SLOTS);
}

static __always_inline void count_whole_client(struct whole_asked *key, u64 spent)
{
    struct client_whole *found = http_whole_cli.lookup(key);
    if (!found) {
        int zero = 0;
        struct client_whole *nothing = (struct client_whole *)http_blank.lookup(&zero);
        if (nothing)
            http_whole_cli.insert(key, nothing);
        found = http_whole_cli.lookup(key);
    }
    if (!found) {
        lose(LOST_HTTP_FULL);
        return;
    }
    observe_shared(&found->sum, found->counts, spent, HTTP_WHOLE_CLI_FIRST, HTTP_WHOLE_CLI_SLOTS);
}

/* The answer is whole. */
static __always_inline void count_whole_answer(struct pass *pass, struct conn *conn, struct http *http)
{
    struct whole_asked key = {conn->owner, http->whole_method, 0, http->status};
    u64 whole = http->whole;
    http->whole = 0;
    count_traffic(conn, conn->owner);
    if (!whole)
        return;
    if (conn->side == SERVER)
        count_whole_server(&key, pass->now - whole);
    else
        count_whole_client(&key, pass->now - whole);
}

static __always_inline u32 in_flight(struct http *http)
{
    return (u16)(http->to - http->from);
}

/* No answer is waited for any more. */
static __always_inline void give_up(struct conn *conn, struct http *http)
{
    http->from = http->to;
    http->first = 0;
    conn->waiting = 0;
}

/* The connection is at its end. */
static __always_inline void broken_off(struct conn *conn, struct http *http)
{
    struct http_end key = http_end_of(conn, conn->owner, 0);
    u64 many = in_flight(http), none = 0;
    if (many) {
        add(http_unanswered.lookup_or_try_init(&key, &none), many, LOST_HTTP_FULL);
        give_up(conn, http);
    }
    if (conn->moved[RECEIVED] || conn->moved[SENT])
        count_traffic(conn, conn->owner);
}

/* The bytes make no sense: what is in flight is lost, and the connection is recognised anew. */
static __always_inline void lost_its_way(struct conn *conn, struct http *http)
{
    lose(LOST_SYNC);
    give_up(conn, http);
    forget(conn);
}

/* What a program of ours begins with: 0 where there is nothing to follow. */
static __always_inline struct conn *http_of(struct pass *pass)
{
    struct conn *conn = conns.lookup(&pass->inode);
    if (!conn)
        return 0;
    struct http *http = (struct http *)conn->state;
    if (!is_on(SWITCH_HTTP)) {
        give_up(conn, http);
        forget(conn);
        return 0;
    }
    if (conn->ended == CLOSED || (!pass->runs && !pass->left && !pass->rest)) {
        /* A client that has said all may still wait for the answer. */
        if (conn->ended == CLOSED || conn->side == CLIENT || pass->direction == SENT)
            broken_off(conn, http);
        if (conn->ended == CLOSED)
            conns.delete(&pass->inode);
        return 0;
    }
    return conn;
}

/* ------------------------------------------------------------------ blocks */

/* All in memory, so that the verifier need not follow each of their values. */
#define NEXT(pass) (*(volatile u32 *)&(pass)->cursor)     /* place in the block */
#define LENGTH(pass) (*(volatile u64 *)&(pass)->words[0]) /* of the block */
#define FRESH(pass) (*(volatile u64 *)&(pass)->words[1])  /* a line begins there */
#define BEGAN(pass) (*(volatile u64 *)&(pass)->words[2])  /* where the present line began; NOWHERE: in another block */
#define NUMBER(pass) (*(volatile u64 *)&(pass)->words[3]) /* where Content-Length's line begins; NOWHERE: not seen */
#define CODING(pass) (*(volatile u64 *)&(pass)->words[6]) /* the same of Transfer-Encoding */
#define WHOLE(pass) (*(volatile u64 *)&(pass)->words[4])  /* the head, or what else was looked for, is at its end */

static __always_inline u64 word_of(struct pass *pass, u64 place)
{
    asm volatile("%0 &= 511" : "+r"(place));
    return *(u64 *)(pass->scan + place);
}

static __always_inline u8 byte_of(struct pass *pass, u64 place)
{
    asm volatile("%0 &= 511" : "+r"(place));
    return pass->scan[place];
}

/* Brings the next block, behind what was kept of a line: how many bytes it has, 0 for none. */
static __always_inline u32 block(struct pass *pass, struct stream *stream)
{
    u32 have = stream->have, more = pass->left < BLOCK_BYTES ? pass->left : BLOCK_BYTES;
    if (have)
        __builtin_memcpy(pass->scan, stream->head, HEAD_BYTES);
    asm volatile("%0 &= 63" : "+r"(have));
    asm volatile("%0 &= 511" : "+r"(more));
    if (more > BLOCK_BYTES)
        return 0;
    if (bpf_probe_read_user(pass->scan + have, more, (void *)pass->at)) {
        lose(LOST_MEMORY);
        return 0;
    }
    NEXT(pass) = 0;
    WHOLE(pass) = 0;
    NUMBER(pass) = CODING(pass) = NOWHERE;
    u64 length = have + more;
    asm volatile("%0 &= 511" : "+r"(length));
    LENGTH(pass) = length;
    *(u64 *)(pass->scan + length) = 0; /* no word that reaches over the end finds anything there */
    return length;
}

/* The block has been looked at as far as NEXT. */
static __always_inline void used(struct pass *pass, struct stream *stream)
{
    u64 some = NEXT(pass) - (u64)(stream->have & 63);
    if (some > pass->left) /* never; for the verifier's and the reader's peace */
        some = pass->left;
    pass->at += some;
    pass->left -= some;
    stream->have = 0;
}

/* The bytes from `place` to the block's end are kept for the next piece. */
static __always_inline void keep_from(struct pass *pass, struct stream *stream, u64 place, u32 length)
{
    u64 kept = length - place;
    NEXT(pass) = length;
    used(pass, stream);
    asm volatile("%0 &= 511" : "+r"(place));
    __builtin_memcpy(stream->head, pass->scan + place, HEAD_BYTES);
    stream->have = kept & 63;
}

#define ONES 0x0101010101010101ULL
#define LOWER_CASE 0x2020202020202020ULL
#define TEXT(s)                                                                                                        \
    (SMALL(s, 0) | SMALL(s, 1) | SMALL(s, 2) | SMALL(s, 3) | SMALL(s, 4) | SMALL(s, 5) | SMALL(s, 6) | SMALL(s, 7))
#define SMALL(s, i) ((i) < sizeof(s) - 1 ? (u64)(u8)(s)[(i) < sizeof(s) ? (i) : 0] << 8 * (i) : 0)
#define FIRST_BYTES(n) ((1ULL << 8 * (n)) - 1)

/* All ones, or none, without a branch: the verifier would follow both sides of each. */
static __always_inline u64 mask_of(u64 yes)
{
    asm volatile("" : "+r"(yes));
    yes = -yes;
    asm volatile("" : "+r"(yes));
    return yes;
}

static __always_inline u64 is_zero(u64 number)
{
    u64 sign = number | -number;
    asm volatile("" : "+r"(sign));
    return sign >> 63 ^ 1;
}

/* The high bit of the first byte `c` in a word; 0 where there is none. */
static __always_inline u64 first_bit(u64 word, u8 c)
{
    u64 same = word ^ (ONES * c), hit = (same - ONES) & ~same & (ONES << 7);
    return hit & -hit;
}

/* The place of the byte whose high bit is set; 0 for none. */
static __always_inline u64 place_of_bit(u64 bit)
{
    return (bit >> 7) * 0x0001020304050607ULL >> 56;
}

/* Looks at lines from NEXT on, to the end of the head or of the block. `more`: the piece goes on behind the block. */
static __always_inline void read_lines(struct pass *pass, u64 more)
{
    for (int n = 0; n < LINES; n++) {
        u64 place = NEXT(pass), length = LENGTH(pass), word = word_of(pass, place);
        if (place >= length)
            break;
        if (FRESH(pass)) {
            u64 blank = is_zero((word & 0xff) ^ '\n') | is_zero((word & 0xffff) ^ TEXT("\r\n"));
            u64 later = ((length - place - WINDOW) >> 63) & more; /* the next block begins here */
            if (blank | later) {
                WHOLE(pass) = blank;
                NEXT(pass) = place + blank + (blank & is_zero((word & 0xff) ^ '\r'));
                break;
            }
            u64 small = word | LOWER_CASE, next = word_of(pass, place + 8) | LOWER_CASE;
            u64 says = mask_of(is_zero((small ^ TEXT("content-")) | ((next ^ TEXT("length:")) & FIRST_BYTES(7))));
            NUMBER(pass) = (NUMBER(pass) & ~says) | (place & says);
            says = mask_of(is_zero((small ^ TEXT("transfer")) | (next ^ TEXT("-encodin"))));
            CODING(pass) = (CODING(pass) & ~says) | (place & says);
            BEGAN(pass) = place;
        }
        u64 bit = first_bit(word, '\n'), none = is_zero(bit);
        NEXT(pass) = place + 1 + place_of_bit(bit) + 7 * none;
        FRESH(pass) = none ^ 1;
    }
    if (NEXT(pass) > LENGTH(pass))
        NEXT(pass) = LENGTH(pass);
}

/* What the lines have said about the body. */
static __always_inline void read_framing(struct pass *pass, struct side_of_http *side, u32 length)
{
    if (NUMBER(pass) != NOWHERE) {
        volatile u64 *number = &side->length;
        u64 begin = NUMBER(pass) + 15;
        *number = 0;
        side->says_length = 1;
        for (int n = 0; n < WINDOW - 16; n++) {
            u8 c = byte_of(pass, begin + n);
            if (c >= '0' && c <= '9' && begin + n < length)
                *number = *number * 10 + c - '0';
            else if (c != ' ' && c != '\t')
                break;
        }
    }
    if (CODING(pass) != NOWHERE)
        side->chunked = (word_of(pass, CODING(pass) + 19) | LOWER_CASE) != TEXT("identity");
}

/* Lines of a head, or of what comes behind the last chunk, until their end. True when it is there. */
static __always_inline int read_head(struct pass *pass, struct stream *stream, struct side_of_http *side, u32 length)
{
    u64 more = pass->left > length - (stream->have & 63);
    u32 in_line = side->mode >= AT_TRAILER ? IN_TRAILER : IN_LINE, at_line = in_line == IN_LINE ? AT_LINE : AT_TRAILER;
    FRESH(pass) = side->mode == at_line;
    BEGAN(pass) = FRESH(pass) ? NEXT(pass) : NOWHERE;
    read_lines(pass, more);
    read_framing(pass, side, length);
    if (WHOLE(pass)) {
        used(pass, stream);
        return 1;
    }
    side->mode = FRESH(pass) ? at_line : in_line;
    if (FRESH(pass) || more || BEGAN(pass) == NOWHERE || length - BEGAN(pass) > WINDOW) {
        used(pass, stream);
    } else {
        keep_from(pass, stream, BEGAN(pass), length);
        side->mode = at_line;
    }
    return 0;
}

static __always_inline void begin_message(struct side_of_http *side)
{
    side->length = 0;
    side->chunked = 0;
    side->says_length = 0;
}

/* A body of known length, as far as it has come. True when it is all there. */
static __always_inline int skip_body(struct pass *pass, struct stream *stream)
{
    u64 skip = stream->skip;
    if (skip >= pass->left + pass->rest) {
        stream->skip = skip - pass->left - pass->rest;
        pass->left = pass->rest = 0;
        return !stream->skip;
    }
    if (skip > pass->left) {
        stream->skip = skip - pass->left;
        pass->left = 0;
        return 0;
    }
    pass->at += skip;
    pass->left -= skip;
    stream->skip = 0;
    return 1;
}

/* ------------------------------------------------------------------ paths */

#define HASH_START 0xcbf29ce484222325ULL
#define HASH_TIMES 0x100000001b3ULL

/* One bit for each of the characters 0 to 63, and 64 to 127: without branches, which the verifier would follow all. */
struct characters {
    u64 low, high;
};
#define BIT_OF(c) (1ULL << ((c) & 63))
#define PATH_ENDS ((struct characters){0xffffffffULL | BIT_OF(' ') | BIT_OF('?') | BIT_OF('#'), 0})
#define DIGITS ((struct characters){0x3ffULL << '0', 0})
/* Letters that are no hexadecimal digits. */
#define NO_HEX ((struct characters){0, 0x07ffff8007ffff80ULL})
/* What neither letters nor digits are, and no -_.~ */
#define ODD_ONES                                                                                                            \
    ((struct characters){~(0x3ffULL << '0' | BIT_OF('-') | BIT_OF('.')),                                               \
                         ~(0x07fffffe07fffffeULL | BIT_OF('_') | BIT_OF('~'))})

static __always_inline u64 is_one_of(struct characters set, u64 c)
{
    u64 high = mask_of(c >> 6 & 1);
    return ((set.low & ~high) | (set.high & high)) >> (c & 63) & 1;
}

static __always_inline void begin_path(struct http *http)
{
    http->hash = http->before = HASH_START;
    http->length = http->length_before = http->raw = 0;
    http->letters = http->digits = http->no_hex = http->odd = http->swift = 0;
}

static __always_inline void append(volatile struct http *http, struct stream *stream, u64 c)
{
    u64 place = http->length;
    http->length = place + 1;
    asm volatile("%0 &= 63" : "+r"(place));
    stream->head[place] = c;
    http->hash = (http->hash ^ c) * HASH_TIMES;
}

/* A segment that looks like an id becomes a star. */
static __always_inline void end_segment(volatile struct http *http, struct stream *stream)
{
    u64 letters = http->letters, digits = http->digits, no_hex = http->no_hex, odd = http->odd;
    u64 few = (letters - digits - 1) >> 63, many = (24 - letters) >> 63, three = (2 - digits) >> 63;
    u64 hex = (7 - letters) >> 63 & (no_hex - 1) >> 63, id = few | many | three | hex | odd;
    u64 folds = mask_of(id & (is_zero(letters) ^ 1)), hash = http->before, place = http->length_before;
    hash = (hash ^ '*') * HASH_TIMES;
    http->hash = (http->hash & ~folds) | (hash & folds);
    asm volatile("%0 &= 63" : "+r"(place));
    stream->head[place] = (stream->head[place] & ~folds) | ('*' & folds);
    http->length = (http->length & ~folds) | ((place + 1) & folds);
}

/* The path from NEXT on, to its end or the block's. True when it is at its end; its text stands in the stream's head. */
static __always_inline int read_path(struct pass *pass, struct http *http_, struct stream *stream)
{
    volatile struct http *http = http_;
    volatile u64 *found = &pass->words[5];
    *found = 0;
    for (int n = 0; n < PATH_BYTES; n++) {
        u64 place = NEXT(pass);
        if (place >= LENGTH(pass))
            break;
        u64 c = byte_of(pass, place), full = http->length >> 6 | http->raw >> 8;
        if (full | is_one_of(PATH_ENDS, c)) {
            *found = 1;
            break;
        }
        NEXT(pass) = place + 1;
        http->raw++;
        if (c == '/') {
            u64 began = http->length_before;
            asm volatile("%0 &= 63" : "+r"(began));
            http->swift |= is_zero((*(u64 *)(stream->head + began) ^ TEXT("AUTH_")) & FIRST_BYTES(5));
            end_segment(http, stream);
            append(http, stream, c);
            http->before = http->hash;
            http->length_before = http->length;
            http->letters = http->digits = http->no_hex = 0;
            http->odd = http->swift;
            continue;
        }
        http->letters++;
        http->digits += is_one_of(DIGITS, c);
        http->no_hex |= is_one_of(NO_HEX, c);
        http->odd |= is_one_of(ODD_ONES, c) | c >> 7;
        append(http, stream, c);
    }
    if (!*found)
        return 0;
    end_segment(http, stream);
    return 1;
}

/* The number of the path that was read, whose text is kept under it. 0: there are too many. */
static __always_inline u64 route_of(struct http *http, struct stream *stream)
{
    u64 route = http->hash >> 8;
    if (http_routes.lookup(&route))
        return route;
    struct folded folded = {};
    folded.length = http->length;
    __builtin_memcpy(folded.text, stream->head, HEAD_BYTES);
    http_routes.insert(&route, &folded);
    return http_routes.lookup(&route) ? route : 0;
}

/* ------------------------------------------------------------------ requests */

static __always_inline u32 method_of(u64 word, u32 letters)
{
    if (letters == 3 && (word & FIRST_BYTES(3)) == TEXT("GET")) return METHOD_GET;
    if (letters == 3 && (word & FIRST_BYTES(3)) == TEXT("PUT")) return METHOD_PUT;
    if (letters == 4 && (word & FIRST_BYTES(4)) == TEXT("POST")) return METHOD_POST;
    if (letters == 4 && (word & FIRST_BYTES(4)) == TEXT("HEAD")) return METHOD_HEAD;
    if (letters == 5 && (word & FIRST_BYTES(5)) == TEXT("PATCH")) return METHOD_PATCH;
    if (letters == 5 && (word & FIRST_BYTES(5)) == TEXT("TRACE")) return METHOD_TRACE;
    if (letters == 6 && (word & FIRST_BYTES(6)) == TEXT("DELETE")) return METHOD_DELETE;
    if (letters == 7 && (word & FIRST_BYTES(7)) == TEXT("OPTIONS")) return METHOD_OPTIONS;
    if (letters == 7 && (word & FIRST_BYTES(7)) == TEXT("CONNECT")) return METHOD_CONNECT;
    return METHOD_OTHER;
}

enum { NO_METHOD, PART_OF_A_METHOD, A_METHOD };

static __always_inline int is_letter_of_method(u8 c)
{
    return (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

/* Reads the method at NEXT, and the blank behind it. */
static __always_inline int read_method(struct pass *pass, struct http *http, u32 length)
{
    u32 begin = NEXT(pass), there = length - begin;
    u64 word = word_of(pass, begin), letters;
    u64 bit = first_bit(word, ' ');
    letters = place_of_bit(bit);
    if (!bit) {
        bit = first_bit(word_of(pass, begin + 8), ' ');
        letters = bit ? 8 + place_of_bit(bit) : 16;
    }
    if (!is_letter_of_method(word))
        return NO_METHOD;
    if (letters >= there)
        return there < 16 ? PART_OF_A_METHOD : NO_METHOD;
    if (letters < 3 || letters >= 16)
        return NO_METHOD;
    http->method = method_of(word, letters);
    NEXT(pass) = begin + letters + 1;
    return A_METHOD;
}

/* The head of a request is whole: it waits for its answer. */
static __always_inline void push_request(struct pass *pass, struct conn *conn, struct http *http, u64 route)
{
    u32 place = http->to & (HTTP_QUEUE - 1);
    if (!in_flight(http))
        conn->owner = pass->program;
    http->asked[place] = pass->now;
    http->routes[place] = route << 8 | http->method;
    http->to++;
    conn->waiting = in_flight(http);
}

static __always_inline void begin_body(struct stream *stream, struct side_of_http *side)
{
    stream->skip = side->chunked ? 0 : side->length;
    side->mode = side->chunked ? AT_CHUNK : stream->skip ? IN_BODY : AT_START;
    side->length = 0;
}

/* Whether the piece begins like a request. */
static __always_inline int begins_request(struct pass *pass)
{
    u64 words[2] = {};
    if (pass->left < 16 || bpf_probe_read_user(words, sizeof(words), (void *)pass->at))
        return 0;
    for (u32 letters = 3; letters < 8; letters++)
        if ((words[0] >> 8 * letters & 0xff) == ' ')
            return method_of(words[0], letters) != METHOD_OTHER;
    return method_of(words[0], 7) == METHOD_OPTIONS && (words[1] & 0xff) == ' ';
}

static __always_inline int is_in_body(u32 mode)
{
    return mode >= IN_BODY && mode <= IN_TRAILER;
}

static __always_inline int is_in_chunks(u32 mode)
{
    return mode >= AT_CHUNK && mode <= IN_CHUNK;
}

/* For what one run cannot look at. */
static __always_inline int go_on(struct exited *at, struct pass *pass, struct conn *conn, struct http *http, u32 place)
{
    if (pass->runs++ < MOST_RUNS)
        parsers.call(at, place);
    lose(LOST_LONG);
    give_up(conn, http);
    forget(conn);
    return 0;
}

int http_requests(struct exited *at)
{
    struct pass *pass = pass_here();
    struct conn *conn = pass ? http_of(pass) : 0;
    if (!conn)
        return 0;
    struct http *http = (struct http *)conn->state;
    struct stream *stream = &conn->streams[pass->direction & 1];
    struct side_of_http *side = &http->sides[pass->direction & 1];
    if (!pass->runs && is_in_body(side->mode)) {
        if (in_flight(http)) {
            http->asked[(http->to - 1) & (HTTP_QUEUE - 1)] = pass->now;
        } else if (begins_request(pass)) { /* the body was not sent, or not seen */
            begin_anew(stream);
            side->mode = AT_START;
        }
    }
    for (int turn = 0; turn < 1; turn++) {
        if (side->mode == AT_END || (side->mode == IN_BODY && skip_body(pass, stream)))
            side->mode = AT_START;
        if (!pass->left && !next_piece(pass))
            return 0;
        u32 mode = side->mode, length;
        if (!pass->left || mode == IN_BODY)
            continue;
        if (http->protocol == UWSGI && (mode == AT_START || mode == AT_PAIR || mode == IN_PATH))
            return go_on(at, pass, conn, http, CALL_HTTP_PACKETS);
        if (is_in_chunks(mode))
            return go_on(at, pass, conn, http, CALL_HTTP_CHUNKS);
        length = block(pass, stream);
        if (!length) {
            lost_its_way(conn, http);
            return 0;
        }
        if (mode == AT_START) {
            u32 blanks = (byte_of(pass, 0) == '\r') + (byte_of(pass, 0) == '\n');
            if (blanks) { /* between two requests */
                NEXT(pass) = 1;
                used(pass, stream);
                continue;
            }
            u32 found = read_method(pass, http, length);
            if (found == PART_OF_A_METHOD) {
                keep_from(pass, stream, 0, length);
                continue;
            }
            if (found == NO_METHOD) {
                lost_its_way(conn, http);
                return 0;
            }
            begin_message(side);
            begin_path(http);
            side->mode = IN_PATH;
        }
        if (side->mode == IN_PATH) {
            if (http->method != METHOD_CONNECT && !read_path(pass, http, stream)) {
                used(pass, stream);
                continue;
            }
            http->hash = route_of(http, stream);
            side->mode = IN_LINE;
        }
        if (!read_head(pass, stream, side, length))
            continue;
        if (side->mode >= AT_TRAILER) {
            side->mode = AT_START;
        } else {
            push_request(pass, conn, http, http->hash);
            begin_body(stream, side);
        }
    }
    if (!pass->left && !pass->rest)
        return 0;
    return go_on(at, pass, conn, http, CALL_HTTP_REQUESTS);
}

/* ------------------------------------------------------------------ answers */

#define SHORTEST_STATUS 12 /* HTTP/1.1 200 */

static __always_inline int begins_answer(struct pass *pass)
{
    u64 word = 0;
    if (pass->left < SHORTEST_STATUS || bpf_probe_read_user(&word, sizeof(word), (void *)pass->at))
        return 0;
    return (word & FIRST_BYTES(7)) == TEXT("HTTP/1.");
}

/* The head of an answer is whole. */
static __always_inline void answered(struct pass *pass, struct conn *conn, struct http *http, struct stream *stream,
                                     struct side_of_http *side)
{
    u32 status = http->status, place = http->from & (HTTP_QUEUE - 1);
    side->mode = AT_START;
    if (status >= 100 && status < 200 && status != 101) {
        http->first = 0;
        return;
    }
    u64 asked = http->asked[place], what = http->routes[place], first = http->first;
    int known = in_flight(http) <= HTTP_QUEUE;
    struct asked key = {conn->owner, what & 0xff, 0, status, what >> 8};
    http->from++;
    conn->waiting = in_flight(http);
    http->alone = !conn->waiting;
    http->first = 0;
    http->whole = known ? asked : 0;
    http->whole_method = key.method;
    if (!known)
        count_untimed(conn, conn->owner);
    else if (conn->side == SERVER)
        count_server(&key, first > asked ? first - asked : 0);
    else
        count_client(&key, first > asked ? first - asked : 0);
    if (status == 101 || (known && key.method == METHOD_CONNECT && status >= 200 && status < 300)) {
        give_up(conn, http);
        count_traffic(conn, conn->owner); /* nobody looks at the connection after this */
        count_upgrade(conn, conn->owner);
        return;
    }
    if ((known && key.method == METHOD_HEAD) || status == 204 || status == 304)
        side->mode = AT_END;
    else if (side->chunked)
        side->mode = AT_CHUNK;
    else if (!side->says_length)
        side->mode = UNTIL_CLOSE;
    else if (side->length)
        side->mode = IN_BODY;
    else
        side->mode = AT_END;
    stream->skip = side->mode == IN_BODY ? side->length : 0;
    side->length = 0;
}

/* The status line at the beginning of the block. */
static __always_inline int read_status(struct pass *pass, struct http *http, u32 length)
{
    u8 hundreds = byte_of(pass, 9) - '0', tens = byte_of(pass, 10) - '0', ones = byte_of(pass, 11) - '0';
    if ((word_of(pass, 0) & FIRST_BYTES(7)) != TEXT("HTTP/1.") || hundreds > 9 || tens > 9 || ones > 9)
        return 0;
    http->status = hundreds * 100 + tens * 10 + ones;
    NEXT(pass) = SHORTEST_STATUS;
    return 1;
}

int http_answers(struct exited *at)
{
    struct pass *pass = pass_here();
    struct conn *conn = pass ? http_of(pass) : 0;
    if (!conn)
        return 0;
    struct http *http = (struct http *)conn->state;
    struct stream *stream = &conn->streams[pass->direction & 1];
    struct side_of_http *side = &http->sides[pass->direction & 1];
    if (!pass->runs && (side->mode == IN_BODY || side->mode == UNTIL_CLOSE) && http->alone && in_flight(http) &&
        begins_answer(pass)) {
        begin_anew(stream); /* the next request has come, so the body was sent, and not seen: sendfile */
        side->mode = AT_START;
        http->whole = 0;
    }
    for (int turn = 0; turn < 1; turn++) {
        u32 mode = side->mode, length;
        if (mode == AT_END || mode == IN_BODY)
            continue;
        if (!pass->left && !next_piece(pass))
            return 0;
        if (!pass->left)
            continue;
        if (mode == UNTIL_CLOSE) {
            count_traffic(conn, conn->owner); /* its end may not be seen */
            return 0;
        }
        if (mode == AT_START && !in_flight(http))
            return 0; /* nobody has asked */
        if (is_in_chunks(mode))
            return go_on(at, pass, conn, http, CALL_HTTP_CHUNKS);
        if (!http->first)
            http->first = pass->now;
        length = block(pass, stream);
        if (!length) {
            lost_its_way(conn, http);
            return 0;
        }
        if (mode == AT_START) {
            if (length < SHORTEST_STATUS) {
                keep_from(pass, stream, 0, length);
                continue;
            }
            if (!read_status(pass, http, length)) {
                lost_its_way(conn, http);
                return 0;
            }
            begin_message(side);
            side->mode = IN_LINE;
        }
        if (!read_head(pass, stream, side, length))
            continue;
        if (side->mode >= AT_TRAILER) {
            side->mode = AT_END;
        } else {
            answered(pass, conn, http, stream, side);
            if (conn->unreadable)
                return 0;
        }
    }
    if (side->mode == IN_BODY && (pass->left || next_piece(pass)) && skip_body(pass, stream))
        side->mode = AT_END;
    if (side->mode == AT_END) {
        count_whole_answer(pass, conn, http);
        side->mode = AT_START;
    }
    return pass->left || pass->rest ? go_on(at, pass, conn, http, CALL_HTTP_ANSWERS) : 0;
}

/* ------------------------------------------------------------------ chunks */

#define CHUNK_LINE 16 /* bytes of it that are looked at in one go */

/* The line that says how long a chunk is, as far as it has come. False when it is none. */
static __always_inline int read_chunk_line(struct pass *pass, struct stream *stream, struct side_of_http *side_)
{
    volatile struct side_of_http *side = side_;
    u32 length = pass->left < CHUNK_LINE ? pass->left : CHUNK_LINE;
    asm volatile("%0 &= 31" : "+r"(length));
    if (length > CHUNK_LINE || bpf_probe_read_user(pass->head, length, (void *)pass->at))
        return 0;
    volatile u64 *used = &pass->words[1];
    *used = 0;
    for (u32 n = 0; n < CHUNK_LINE; n++) {
        u32 bound = length;
        asm volatile("" : "+r"(bound)); /* or the compiler makes one bound of both, and 6.1's verifier finds no end */
        if (n >= bound)
            break;
        u8 c = head_at(pass, n), small = c | 0x20;
        ++*used;
        if (c == '\n') {
            stream->skip = side->length + 2;
            side->mode = side->length ? IN_CHUNK : AT_TRAILER;
            break;
        }
        if (side->mode == IN_CHUNK_LINE)
            continue;
        if (c >= '0' && c <= '9')
            side->length = side->length << 4 | (c - '0');
        else if (small >= 'a' && small <= 'f')
            side->length = side->length << 4 | (small - 'a' + 10);
        else if (c == '\r' || c == ';' || c == ' ')
            side->mode = IN_CHUNK_LINE;
        else
            return 0;
    }
    pass->at += *used;
    pass->left -= *used;
    return 1;
}

int http_chunks(struct exited *at)
{
    struct pass *pass = pass_here();
    struct conn *conn = pass ? http_of(pass) : 0;
    if (!conn)
        return 0;
    struct http *http = (struct http *)conn->state;
    struct stream *stream = &conn->streams[pass->direction & 1];
    struct side_of_http *side = &http->sides[pass->direction & 1];
    for (int turn = 0; turn < 6; turn++) {
        if (side->mode == IN_CHUNK && skip_body(pass, stream)) {
            side->mode = AT_CHUNK;
            side->length = 0;
        }
        if (!pass->left && !next_piece(pass))
            return 0;
        if (!pass->left || side->mode == IN_CHUNK)
            continue;
        if (!read_chunk_line(pass, stream, side)) {
            lost_its_way(conn, http);
            return 0;
        }
        if (side->mode != AT_TRAILER)
            continue;
        u16 end = 0;
        stream->skip = 0;
        if (pass->left >= 2 && !bpf_probe_read_user(&end, 2, (void *)pass->at) && end == TEXT("\r\n")) {
            pass->at += 2;
            pass->left -= 2;
            side->mode = AT_END;
        }
        if (side->mode == AT_END || pass->left || pass->rest)
            return go_on(at, pass, conn, http, place_of(conn, pass));
        return 0;
    }
    if (!pass->left && !pass->rest)
        return 0;
    return go_on(at, pass, conn, http, CALL_HTTP_CHUNKS);
}

/* ------------------------------------------------------------------ uWSGI's protocol */

#define METHOD_AT(pass) (*(volatile u64 *)&(pass)->words[1]) /* where REQUEST_METHOD begins; NOWHERE: not seen */
#define LENGTH_AT(pass) (*(volatile u64 *)&(pass)->words[2]) /* the same of CONTENT_LENGTH */
#define OUTCOME(pass) (*(volatile u64 *)&(pass)->words[3])
enum { MORE_PAIRS, A_PATH, ALL_PAIRS, NO_PAIRS };

/* Pairs from NEXT on: u16 length, name, u16 length, value. */
static __always_inline void read_pairs(struct pass *pass, struct http *http_)
{
    volatile struct http *http = http_;
    METHOD_AT(pass) = LENGTH_AT(pass) = NOWHERE;
    OUTCOME(pass) = MORE_PAIRS;
    for (int n = 0; n < PAIRS; n++) {
        u64 place = NEXT(pass), length = LENGTH(pass), left = http->pair;
        if (!left) {
            OUTCOME(pass) = ALL_PAIRS;
            break;
        }
        u64 name = word_of(pass, place) & 0xffff, first = word_of(pass, place + 2), second = word_of(pass, place + 10);
        if (place + 2 > length || (name <= LONGEST_NAME && place + 4 + name > length))
            break;
        u64 value = word_of(pass, place + 2 + name) & 0xffff, total = 4 + name + value;
        if (name > LONGEST_NAME || total > left) {
            OUTCOME(pass) = NO_PAIRS;
            break;
        }
        u64 request = is_zero(first ^ TEXT("REQUEST_")), of_14 = is_zero(name ^ 14), is_short = (value - LONGEST_VALUE) >> 63;
        u64 method = request & of_14 & is_short & is_zero((second ^ TEXT("METHOD")) & FIRST_BYTES(6));
        u64 says = of_14 & is_short & is_zero((first ^ TEXT("CONTENT_")) | ((second ^ TEXT("LENGTH")) & FIRST_BYTES(6)));
        if ((method | says) && place + total > length)
            break;
        u64 uri = request & is_zero(name ^ 11) & is_zero((second ^ TEXT("URI")) & FIRST_BYTES(3));
        u64 path = is_zero(first ^ TEXT("PATH_INF")) & is_zero(name ^ 9) & (http->has_uri ^ 1);
        http->pair = left - total;
        if ((uri | path) && value) {
            http->value = value;
            http->has_uri |= uri;
            NEXT(pass) = place + 4 + name;
            OUTCOME(pass) = A_PATH;
            break;
        }
        method = mask_of(method);
        METHOD_AT(pass) = (METHOD_AT(pass) & ~method) | (place & method);
        says = mask_of(says);
        LENGTH_AT(pass) = (LENGTH_AT(pass) & ~says) | (place & says);
        NEXT(pass) = place + total;
    }
}

static __always_inline void read_values(struct pass *pass, struct http *http, struct side_of_http *side)
{
    u64 place = METHOD_AT(pass);
    if (place != NOWHERE)
        http->method = method_of(word_of(pass, place + 18), word_of(pass, place + 16) & 0xffff);
    place = LENGTH_AT(pass);
    if (place == NOWHERE)
        return;
    volatile u64 *number = &side->length;
    u64 digits = word_of(pass, place + 16) & 0xffff;
    *number = 0;
    for (u32 n = 0; n < LONGEST_VALUE; n++) {
        u8 c = byte_of(pass, place + 18 + n);
        u64 bound = digits;
        asm volatile("" : "+r"(bound)); /* as in read_chunk_line */
        if (n >= bound || c < '0' || c > '9')
            break;
        *number = *number * 10 + c - '0';
    }
}

/* A path that is a value, as far as it has come. */
static __always_inline void read_value_path(struct pass *pass, struct http *http, struct stream *stream,
                                            struct side_of_http *side)
{
    if (LENGTH(pass) > http->value)
        LENGTH(pass) = http->value;
    int ends = read_path(pass, http, stream);
    http->value -= NEXT(pass);
    used(pass, stream);
    if (!ends && http->value)
        return;
    if (!ends)
        end_segment(http, stream);
    http->hash = route_of(http, stream);
    stream->skip = http->value;
    side->mode = AT_PAIR;
}

int http_packets(struct exited *at)
{
    struct pass *pass = pass_here();
    struct conn *conn = pass ? http_of(pass) : 0;
    if (!conn)
        return 0;
    struct http *http = (struct http *)conn->state;
    struct stream *stream = &conn->streams[pass->direction & 1];
    struct side_of_http *side = &http->sides[pass->direction & 1];
    if (stream->skip && !skip_body(pass, stream)) /* the rest of a value, which goes on in the next piece */
        return next_piece(pass) ? go_on(at, pass, conn, http, CALL_HTTP_PACKETS) : 0;
    if (side->mode == AT_PAIR && !http->pair && !stream->skip) {
        push_request(pass, conn, http, http->hash);
        begin_body(stream, side);
        return pass->left || pass->rest ? go_on(at, pass, conn, http, CALL_HTTP_REQUESTS) : 0;
    }
    if (!pass->left && !next_piece(pass))
        return 0;
    u32 length = pass->left ? block(pass, stream) : 0;
    if (!length)
        return go_on(at, pass, conn, http, CALL_HTTP_PACKETS);
    if (side->mode == IN_PATH) {
        read_value_path(pass, http, stream, side);
        return go_on(at, pass, conn, http, CALL_HTTP_PACKETS);
    }
    if (side->mode == AT_START) {
        if (length < 4) {
            keep_from(pass, stream, 0, length);
            return pass->rest ? go_on(at, pass, conn, http, CALL_HTTP_PACKETS) : 0;
        }
        http->pair = word_of(pass, 0) >> 8;
        if (byte_of(pass, 0) || byte_of(pass, 3) || !http->pair) {
            lost_its_way(conn, http);
            return 0;
        }
        begin_message(side);
        http->hash = http->method = http->has_uri = 0;
        side->mode = AT_PAIR;
        NEXT(pass) = 4;
    }
    read_pairs(pass, http);
    read_values(pass, http, side);
    u64 outcome = OUTCOME(pass), next = NEXT(pass);
    length = LENGTH(pass);
    if (outcome == A_PATH) {
        used(pass, stream);
        begin_path(http);
        side->mode = IN_PATH;
    } else if (outcome == NO_PAIRS) {
        lost_its_way(conn, http);
        return 0;
    } else if (next >= length) { /* a value goes on behind the block */
        NEXT(pass) = length;
        used(pass, stream);
        stream->skip = next - length;
    } else if (outcome == ALL_PAIRS) {
        used(pass, stream);
    } else if (next && pass->left > length - (stream->have & 63)) {
        used(pass, stream); /* the next block begins with this pair */
    } else if (length - next < HEAD_BYTES) {
        keep_from(pass, stream, next, length);
    } else {
        lost_its_way(conn, http);
        return 0;
    }
    if (pass->left || pass->rest || (!http->pair && !stream->skip))
        return go_on(at, pass, conn, http, CALL_HTTP_PACKETS);
    return 0;
}

/* ------------------------------------------------------------------ sockets that are gone */

/* For the companion: ends the connection of this inode number, if nobody holds its socket any more. No event tells the
 * end of a Unix socket. 1 where it did. */
int http_check(u64 *arguments)
{
    u64 number = arguments[0];
    struct conn *conn = conns.lookup(&number);
    if (!conn || !conn->waiting || !is_gone(conn, number))
        return 0;
    broken_off(conn, (struct http *)conn->state);
    conns.delete(&number);
    return 1;
}

/* ------------------------------------------------------------------ recognising */

#define GUESS_BYTES 15
#define SURE 16 /* bytes by which everything is told apart */

struct guess { /* of a direction: the first bytes, when they came a few at a time */
    u8 have;
    u8 bytes[GUESS_BYTES];
};
enum { NOTHING, PERHAPS, A_REQUEST, AN_ANSWER, A_PACKET, TLS_HELLO, HTTP2 };

/* What begins with these bytes. */
static __always_inline u32 kind_of(struct pass *pass, u32 have)
{
    u64 first = *(u64 *)pass->head;
    if (have < 8)
        first &= FIRST_BYTES(have);
    u8 c = first;
    if (c == 0x16) {
        if (have < 6)
            return have < 2 || (first >> 8 & 0xff) == 3 ? PERHAPS : NOTHING;
        return (first >> 8 & 0xff) == 3 && pass->head[5] == 1 ? TLS_HELLO : NOTHING;
    }
    if (!c) {
        u32 size = first >> 8 & 0xffff, name = pass->head[4] | pass->head[5] << 8;
        if (have < 9)
            return have < 4 || (!(first >> 24 & 0xff) && size >= 24) ? PERHAPS : NOTHING;
        return !(first >> 24 & 0xff) && size >= 24 && name >= 3 && name <= HEAD_BYTES &&
                       is_letter_of_method(pass->head[6]) && is_letter_of_method(pass->head[7]) &&
                       is_letter_of_method(pass->head[8])
                   ? A_PACKET
                   : NOTHING;
    }
    if (c == 'H' && (have < 7 ? first == (TEXT("HTTP/1.") & FIRST_BYTES(have))
                              : (first & FIRST_BYTES(7)) == TEXT("HTTP/1.")))
        return have < 7 ? PERHAPS : AN_ANSWER;
    if (first == TEXT("PRI * HT"))
        return HTTP2;
    volatile u64 *letters = &pass->words[0], *blank = &pass->words[1];
    *letters = *blank = 0;
    for (u32 n = 0; n < SURE - 1; n++) {
        u32 bound = have;
        asm volatile("" : "+r"(bound)); /* or the compiler makes one bound of both, and 6.1's verifier finds no end */
        if (n >= bound)
            break;
        c = head_at(pass, n);
        if (c == ' ') {
            *blank = 1;
            break;
        }
        if (!is_letter_of_method(c))
            return NOTHING;
        ++*letters;
    }
    u32 many = *letters;
    if (!*blank)
        return many < SURE - 1 ? PERHAPS : NOTHING;
    if (many < 3)
        return NOTHING;
    if (many + 1 >= have)
        return PERHAPS;
    u32 method = method_of(first, many);
    c = head_at(pass, many + 1);
    if (c == '/')
        return A_REQUEST;
    if (method == METHOD_CONNECT)
        return c > ' ' ? A_REQUEST : NOTHING;
    if (c == '*')
        return many + 2 >= have ? PERHAPS : head_at(pass, many + 2) == ' ' ? A_REQUEST : NOTHING;
    if (c != 'h')
        return NOTHING;
    return many + 3 >= have                                                        ? PERHAPS
           : head_at(pass, many + 2) == 't' && head_at(pass, many + 3) == 't' ? A_REQUEST
                                                                                   : NOTHING;
}

static __always_inline int recognised_http(struct exited *at, struct pass *pass, struct conn *conn)
{
    struct guess *guess = (struct guess *)&conn->state[4 + 2 * (pass->direction & 1)];
    u32 have = guess->have;
    asm volatile("%0 &= 15" : "+r"(have));
    __builtin_memset(pass->head, 0, HEAD_BYTES);
    if (have)
        __builtin_memcpy(pass->head, guess->bytes, GUESS_BYTES);
    u32 got = beginning(pass, have), kind = kind_of(pass, got), asking = pass->direction == SENT ? CLIENT : SERVER;
    guess->have = 0;
    if (kind == NOTHING)
        return 0;
    if (kind == PERHAPS) {
        if (got <= GUESS_BYTES && got == have + pass->left + pass->rest) {
            __builtin_memcpy(guess->bytes, pass->head, GUESS_BYTES);
            guess->have = got;
        }
        return 0;
    }
    if (kind == TLS_HELLO || kind == HTTP2) {
        conn->side = asking;
        count_unread(conn, pass->program, kind == TLS_HELLO ? UNREADABLE_TLS : UNREADABLE_HTTP2);
        return 1;
    }
    recognised(conn, CALL_HTTP_REQUESTS, kind == AN_ANSWER ? (asking == CLIENT ? SERVER : CLIENT) : asking);
    struct http *http = (struct http *)conn->state;
    http->protocol = kind == A_PACKET ? UWSGI : PLAIN_HTTP;
    conn->owner = pass->program;
    if (kind != AN_ANSWER && have) {
        struct stream *stream = &conn->streams[pass->direction & 1];
        __builtin_memcpy(stream->head, pass->head, GUESS_BYTES);
        stream->have = have;
    }
    return 1;
}

int http_recognise(struct exited *at)
{
    struct pass *pass = pass_here();
    if (!pass)
        return 0;
    struct conn *conn = conns.lookup(&pass->inode);
    if (!conn || conn->parser)
        return 0;
    u64 total = pass->left + pass->rest;
    if (HIDDEN(pass) && is_on(SWITCH_HTTP)) {
        count_unread(conn, pass->program, UNREADABLE_TLS);
        return 0;
    }
    if (is_on(SWITCH_HTTP) && pass->left && recognised_http(at, pass, conn)) {
        if (conn->unreadable)
            return 0;
        conn->moved[pass->direction & 1] += total;
        parsers.call(at, place_of(conn, pass));
        return 0;
    }
    if (HAS_NEXT(CALL_HTTP_RECOGNISE))
        parsers.call(at, CALL_HTTP_RECOGNISE + 1);
    return 0;
}
