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
            give_back(&pass->inode);
        return 0;
    }
    return conn;
}

#include "http_blocks.h"

#include "http_messages.h"

#include "http_uwsgi.h"

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
    give_back(&number);
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
