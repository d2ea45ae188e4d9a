/* Follows AMQP 0-9-1 on connections that wire.bpf.c brings, from both ends; rpc.bpf.c reads the bodies that it finds.
 *
 * Frames are walked one by one in both directions. A message is a method that carries content, a header that tells how
 * long the body is, and as many frames of body as it takes; frames of several channels may come between one another.
 */

enum { FRAME_METHOD = 1, FRAME_HEADER = 2, FRAME_BODY = 3, FRAME_HEARTBEAT = 8, FRAME_END = 0xCE };
enum { /* in the order of METHODS in amqp.py */
    MESSAGE_OTHER, MESSAGE_PUBLISH, MESSAGE_DELIVER, MESSAGE_GET, MESSAGE_RETURN, MESSAGE_ACK, MESSAGE_NACK,
    MESSAGE_REJECT, MESSAGE_CONFIRM, MESSAGE_REFUSE
};
enum { NO_CONTENT, TO_HEADER, TO_BODY };       /* phases of a content */
enum { BODY_UNKNOWN, BODY_PLAIN, BODY_REQUEST, BODY_REPLY, BODY_NOTICE, BODY_READ }; /* kinds; rpc.bpf.c tells which */
enum { AT_FRAME, AT_EXCHANGE, AT_BODY };       /* of a direction: what comes next */
enum { NAME_OTHER, NAME_NONE, NAME_DEFAULT, NAMES_BEGIN = 16 }; /* numbers of names without a text */
enum { LOST_FRAME, A_FRAME, UNKNOWN_NAME, MANY_TAGS }; /* what was made of the bytes */
enum { NOT_KNOWN, ARE_DUE, SOME_ARE_NOT }; /* acknowledgements of a channel's deliveries; in amqp.py too */
enum { ERROR_CONNECTION, ERROR_CHANNEL, ERROR_RETURN };

#define METHOD(class, method) ((u32)(class) << 16 | (method))
#define WINDOW_BYTES 256        /* of a stream that are looked at in one go */
#define NAME_BYTES 63
#define FRAMES_A_RUN 6
#define PIECES_A_TURN 32
#define LONGEST_FRAME (1U << 30) /* RabbitMQ's largest message has 512 MB, in one frame where there is no limit */
#define PARTIALS 4096
#define AMQP_TEXTS 4096
#define NO_ACK 2 /* of the bits of Consume */
#define TAGS 64                 /* messages of a channel whose acknowledgements are waited for */
#define SECOND 1000000000ULL
#define ENVELOPE_BEGINS 0x762e6f6c736f227bULL /* {"oslo.v */
#define LEAST_ERROR 300           /* of reply codes; others say that all is well */
#define FEWEST_FOLDED 12        /* hexadecimal digits at the end of a name that was generated */

struct amqp_message { /* key of what is counted by exchange */
    u32 program;
    u8 method;
    u8 unused[3];
    u64 exchange;
};
struct amqp_moved {
    u64 messages, bytes, redelivered;
};
struct amqp_error {
    u32 program;
    u16 what;
    u16 code;
};
struct amqp_ended {
    u32 program;
    u32 result;
};
struct amqp_ended_times {
    u64 sum;
    u64 counts[AMQP_CONFIRMS_SLOTS];
};
struct amqp_ack_times {
    u64 sum;
    u64 counts[AMQP_ACKS_SLOTS];
};
struct way { /* one direction of a connection */
    u64 inode;
    u64 direction;
};
struct channel_way {
    u64 inode;
    u32 direction;
    u32 channel;
};
struct channel_of {
    u64 inode;
    u64 channel;
};
struct tags {
    u64 last;     /* tag that was given */
    u64 first;    /* that may not be acknowledged yet */
    u64 at[TAGS]; /* when, by tag; 0: is acknowledged */
};
struct amqp_channel {
    u32 program;
    u16 consumers;
    u8 confirms;
    u8 answers;  /* whether deliveries must be acknowledged */
    s64 owed;    /* deliveries that are not; below 0 for a moment where the answer was seen first */
    u64 begin;   /* the first tag that counts for it; 0: none was seen yet */
    u64 since;   /* of the connection; another one: something was missed in between */
    u64 got_free; /* the present Get asks for a message that needs none */
    struct tags published, delivered;
};
struct partial {
    u8 bytes[WINDOW_BYTES];
};
struct amqp_text {
    u8 length;
    u8 text[NAME_BYTES];
};

/* What a channel carries in one direction, from the method to the last byte. */
struct content {
    u64 size;      /* of the body */
    u64 done;      /* bytes of it that have come */
    u64 exchange;
    u64 name;      /* rpc: number of its method, event or exception */
    u64 id;        /* rpc: of the call */
    u64 from;      /* rpc: place in the body where what must be looked through begins */
    u32 expires;   /* milliseconds; 0: it does not */
    u16 channel;
    u8 method;
    u8 phase;
    u8 redelivered;
    u8 fanout;     /* the exchange is one that copies to all */
    u8 kind;       /* rpc's */
    u8 flags;      /* rpc's */
    u8 priority;   /* rpc's */
    u64 carried;   /* rpc: bytes of the body's last frame that belong to what the next one begins with */
    u64 carry[HEAD_BYTES / 8];
};
struct side_of_amqp {
    u64 left; /* bytes of the present frame's payload that are still to come */
    u64 last; /* when bytes came */
    u8 mode;
    u8 unused[7];
    struct content content; /* the last one; others that are under way wait in amqp_contents */
};
struct amqp {
    struct side_of_amqp sides[2]; /* by direction */
    u64 heartbeat;                /* nanoseconds; 0: none, or not known */
    u64 since;                    /* when it was recognised */
};
_Static_assert(sizeof(struct amqp) <= 8 * STATE_WORDS, "amqp");

BPF_TABLE("percpu_hash", struct amqp_message, struct amqp_moved, amqp_messages, AMQP_MESSAGES_ENTRIES);
BPF_TABLE("percpu_hash", struct amqp_error, u64, amqp_errors, AMQP_ERRORS_ENTRIES);
BPF_TABLE("percpu_hash", u32, u64, amqp_missed, AMQP_MISSED_ENTRIES);
BPF_TABLE("hash", struct amqp_ended, struct amqp_ended_times, amqp_confirms, AMQP_CONFIRMS_ENTRIES);
BPF_TABLE("hash", u32, struct amqp_ack_times, amqp_acks, AMQP_ACKS_ENTRIES);
BPF_TABLE("lru_hash", struct channel_of, struct amqp_channel, amqp_channels, 4096);
BPF_PERCPU_ARRAY(amqp_blank, struct amqp_channel, 1); /* never written to; the largest value */
BPF_TABLE("lru_hash", struct way, struct partial, amqp_partials, PARTIALS);
BPF_TABLE("lru_hash", struct channel_way, struct content, amqp_contents, 4096);
BPF_TABLE("hash", u64, struct amqp_text, amqp_texts, AMQP_TEXTS);
BPF_TABLE("lru_hash", u64, u64, amqp_names, 8192); /* a name as it came → its number */

#include "amqp_names.h"

/* ------------------------------------------------------------------ counting */

static __always_inline void count_message(struct pass *pass, u32 method, u64 exchange, u64 bytes, u64 redelivered)
{
    struct amqp_message key = {pass->program, method, {}, exchange};
    struct amqp_moved none = {}, *found;
    if (!is_on(SWITCH_AMQP))
        return;
    found = amqp_messages.lookup_or_try_init(&key, &none);
    if (!found) {
        lose(LOST_AMQP_FULL);
        return;
    }
    found->messages++;
    found->bytes += bytes;
    found->redelivered += redelivered;
}

static __always_inline void count_content(struct pass *pass, struct content *content)
{
    count_message(pass, content->method, content->exchange, content->done, content->redelivered);
    content->phase = NO_CONTENT;
}

static __always_inline void count_error(struct pass *pass, u32 what, u32 code)
{
    struct amqp_error key = {pass->program, what, code};
    u64 none = 0;
    if (is_on(SWITCH_AMQP))
        add(amqp_errors.lookup_or_try_init(&key, &none), 1, LOST_AMQP_FULL);
}

static __always_inline void count_missed(struct pass *pass)
{
    u32 key = pass->program;
    u64 none = 0;
    if (is_on(SWITCH_AMQP))
        add(amqp_missed.lookup_or_try_init(&key, &none), 1, LOST_AMQP_FULL);
}

static __always_inline void count_confirm(struct pass *pass, u32 result, u64 spent)
{
    struct amqp_ended key = {pass->program, result};
    struct amqp_ended_times *found = amqp_confirms.lookup(&key);
    if (!found) {
        int zero = 0;
        struct amqp_ended_times *nothing = (struct amqp_ended_times *)amqp_blank.lookup(&zero);
        if (nothing)
            amqp_confirms.insert(&key, nothing);
        found = amqp_confirms.lookup(&key);
    }
    if (!found) {
        lose(LOST_AMQP_FULL);
        return;
    }
    observe_shared(&found->sum, found->counts, spent, AMQP_CONFIRMS_FIRST, AMQP_CONFIRMS_SLOTS);
}

static __always_inline void count_ack(struct pass *pass, u64 spent)
{
    u32 key = pass->program;
    struct amqp_ack_times *found = amqp_acks.lookup(&key);
    if (!found) {
        int zero = 0;
        struct amqp_ack_times *nothing = (struct amqp_ack_times *)amqp_blank.lookup(&zero);
        if (nothing)
            amqp_acks.insert(&key, nothing);
        found = amqp_acks.lookup(&key);
    }
    if (!found) {
        lose(LOST_AMQP_FULL);
        return;
    }
    observe_shared(&found->sum, found->counts, spent, AMQP_ACKS_FIRST, AMQP_ACKS_SLOTS);
}

/* ------------------------------------------------------------------ channels */

/* What is known of a channel; 0 where there is no room. */
static __always_inline struct amqp_channel *channel_here(struct pass *pass, u32 channel)
{
    struct channel_of key = {pass->inode, channel};
    struct amqp_channel *found = amqp_channels.lookup(&key);
    if (found)
        return found;
    int zero = 0;
    struct amqp_channel *blank = amqp_blank.lookup(&zero);
    if (blank)
        amqp_channels.insert(&key, blank);
    found = amqp_channels.lookup(&key);
    if (found)
        found->program = pass->program;
    return found;
}

static __always_inline void forget_channel(struct pass *pass, u32 channel)
{
    struct channel_of key = {pass->inode, channel};
    amqp_channels.delete(&key);
}

static __always_inline void give_tag(struct pass *pass, struct tags *tags, u64 tag)
{
    tags->last = tag;
    tags->at[tag & (TAGS - 1)] = pass->now;
}

static __always_inline void take_tag(struct pass *pass, struct tags *tags, u64 tag, u32 confirms, u32 result)
{
    u64 place = tag & (TAGS - 1), at = tags->at[place], last = tags->last;
    if (!tag || tag > last || tag + TAGS <= last || !at)
        return; /* from before the tracer began, or its place has another one */
    tags->at[place] = 0;
    if (confirms)
        count_confirm(pass, result, pass->now - at);
    else
        count_ack(pass, pass->now - at);
}

#define TAG(pass) (*(volatile u64 *)&(pass)->words[8]) /* for amqp_tags */
#define CHANNEL(pass) (*(volatile u64 *)&(pass)->words[9])
#define CONFIRMS(pass) (*(volatile u64 *)&(pass)->words[10])
#define RESULT(pass) (*(volatile u64 *)&(pass)->words[11])

/* All messages up to a tag are acknowledged. */
int amqp_tags(struct exited *at)
{
    struct pass *pass = pass_here();
    if (!pass)
        return 0;
    struct channel_of key = {pass->inode, CHANNEL(pass)};
    struct amqp_channel *channel = amqp_channels.lookup(&key);
    if (channel) {
        volatile u64 *from = &pass->words[7];
        struct tags *tags = CONFIRMS(pass) ? &channel->published : &channel->delivered;
        u64 tag = TAG(pass);
        if (!tag)
            tag = tags->last;
        *from = tags->first > tag || tag - tags->first >= TAGS ? tag - (TAGS - 1) : tags->first;
        tags->first = tag + 1;
        for (u32 n = 0; n < TAGS; n++) {
            u64 one = *from, bound = tag;
            asm volatile("" : "+r"(bound));
            if (one > bound)
                break;
            *from = one + 1;
            take_tag(pass, tags, one, CONFIRMS(pass), RESULT(pass));
        }
    }
    struct conn *conn = conns.lookup(&pass->inode);
    if (!conn || (!pass->left && !pass->rest))
        return 0;
    return amqp_goes_on(at, pass, conn, CALL_AMQP_FRAMES);
}

#include "amqp_owed.h"

/* ------------------------------------------------------------------ contents */

/* Makes the channel's content the present one of its direction. */
static __always_inline void change_content(struct pass *pass, struct content *content, u32 channel)
{
    struct channel_way way = {pass->inode, pass->direction, content->channel};
    if (content->channel == channel)
        return;
    if (content->phase != NO_CONTENT)
        amqp_contents.update(&way, content);
    way.channel = channel;
    struct content *waits = amqp_contents.lookup(&way);
    if (waits) {
        __builtin_memcpy(content, waits, sizeof(*content));
        amqp_contents.delete(&way);
    } else {
        __builtin_memset(content, 0, sizeof(*content));
        content->channel = channel;
    }
}

static __always_inline void begin_content(struct content *content, u32 method, u64 exchange, u32 redelivered)
{
    content->method = method;
    content->exchange = exchange;
    content->redelivered = redelivered & 1;
    content->phase = TO_HEADER;
    content->carried = content->size = content->done = content->name = content->id = content->from = 0;
    content->expires = content->kind = content->flags = content->priority = 0;
}

/* Whether the frame tells which end it comes from: SENT by a client, RECEIVED by one; -1: it does not, or is unknown. */
static __always_inline int direction_of(u32 method)
{
    u32 class = method >> 16, number = method & 0xffff;
    if (class == 60) {
        if (number == 50 || number == 60 || number == 71 || number == 72)
            return RECEIVED;
        if (number == 40 || number == 70 || number == 90 || number == 110 || number == 100)
            return SENT;
        if (number == 10 || number == 20)
            return SENT;
        return number == 11 || number == 21 || number == 111 ? RECEIVED : -1;
    }
    if (class == 50 || class == 40 || class == 85 || class == 90) {
        if (number == 10 || number == 20 || number == 30 || number == 40)
            return SENT;
        if (class == 50 && number == 50)
            return SENT;
        return number <= 51 && number % 10 == 1 ? RECEIVED : -1;
    }
    if (class == 20)
        return number == 10 ? SENT : number == 11 ? RECEIVED : -1;
    return -1;
}

#include "amqp_frames.h"

/* ------------------------------------------------------------------ recognising */

#define AMQP_GUESS 12 /* place in the state of what a guess needs; other recognisers use what is before */

static __always_inline void is_amqp(struct conn *conn, u32 side)
{
    recognised(conn, CALL_AMQP_FRAMES, side);
}

static __always_inline int recognised_amqp(struct pass *pass, struct conn *conn, u64 total, u32 have)
{
    u64 first = *(u64 *)pass->head, guess = conn->state[AMQP_GUESS];
    u32 direction = pass->direction & 1;
    conn->state[AMQP_GUESS] = 0;
    if (have >= 8 && first == 0x0109000050514d41ULL) { /* AMQP 0 0 9 1 */
        is_amqp(conn, direction == SENT ? CLIENT : SERVER);
        conn->streams[direction].skip = 8;
        return 1;
    }
    u64 size = big_32(pass->head + 3);
    if (direction == RECEIVED && guess && total >= 4 && total == (guess >> 24 & 0xffffffff) && have >= 4) {
        int told = direction_of(big_32(pass->head)); /* the frame's head came alone, before this */
        if (told >= 0) {
            is_amqp(conn, told == RECEIVED ? CLIENT : SERVER);
            struct stream *stream = &conn->streams[RECEIVED];
            stream->have = 7;
            stream->head[0] = FRAME_METHOD;
            stream->head[1] = guess >> 8;
            stream->head[2] = guess;
            stream->head[3] = guess >> 48;
            stream->head[4] = guess >> 40;
            stream->head[5] = guess >> 32;
            stream->head[6] = guess >> 24;
            return 1;
        }
    }
    if (pass->head[0] != FRAME_METHOD || have < 7 || size < 4 || size > 1 << 20)
        return 0;
    if (total == 7 && direction == RECEIVED) {
        conn->state[AMQP_GUESS] = size << 24 | (u64)pass->head[1] << 8 | pass->head[2];
        if (conn->misses >= MOST_MISSES)
            conn->misses = MOST_MISSES - 1; /* the next one must be looked at */
        return 0;
    }
    if (have < 12 || total < 8 + size)
        return 0;
    int told = direction_of(big_32(pass->head + 7));
    u8 end = 0;
    if (7 + size < have)
        end = head_at(pass, 7 + size);
    else if (7 + size < pass->left)
        bpf_probe_read_user(&end, 1, (void *)(pass->at + 7 + size));
    if (told < 0 || end != FRAME_END)
        return 0;
    is_amqp(conn, told == direction ? CLIENT : SERVER);
    return 1;
}

int amqp_recognise(struct exited *at)
{
    struct pass *pass = pass_here();
    if (!pass)
        return 0;
    struct conn *conn = conns.lookup(&pass->inode);
    if (!conn || conn->parser)
        return 0;
    u32 here = !HIDDEN(pass) && amqp_is_on() ? beginning(pass, 0) : 0;
    if (here && recognised_amqp(pass, conn, pass->left + pass->rest, here)) {
        parsers.call(at, place_of(conn, pass));
        return 0;
    }
    if (HAS_NEXT(CALL_AMQP_RECOGNISE))
        parsers.call(at, CALL_AMQP_RECOGNISE + 1);
    return 0;
}
