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
enum { ERROR_CONNECTION, ERROR_CHANNEL, ERROR_RETURN };

#define METHOD(class, method) ((u32)(class) << 16 | (method))
#define WINDOW_BYTES 256        /* of a stream that are looked at in one go */
#define NAME_BYTES 63
#define FRAMES_A_RUN 6
#define PIECES_A_TURN 32
#define LONGEST_FRAME (1U << 30) /* RabbitMQ's largest message has 512 MB, in one frame where there is no limit */
#define PARTIALS 4096
#define AMQP_TEXTS 4096
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
    u8 unused;
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

/* ------------------------------------------------------------------ the window */

/* All in memory, so that the verifier need not follow each of their values. */
#define THERE(pass) (*(volatile u64 *)&(pass)->words[0]) /* bytes in the window */
#define PLACE(pass) (*(volatile u64 *)&(pass)->words[1]) /* of a name */
#define SPELT(pass) (*(volatile u64 *)&(pass)->words[2]) /* letters of it */

static __always_inline u64 window_word(struct pass *pass, u64 place)
{
    asm volatile("%0 &= 511" : "+r"(place));
    return *(u64 *)(pass->scan + place);
}

static __always_inline u32 window_byte(struct pass *pass, u64 place)
{
    asm volatile("%0 &= 511" : "+r"(place));
    return pass->scan[place];
}

static __always_inline u32 window_16(struct pass *pass, u64 place)
{
    return window_byte(pass, place) << 8 | window_byte(pass, place + 1);
}

static __always_inline u64 window_32(struct pass *pass, u64 place)
{
    return (u64)window_16(pass, place) << 16 | window_16(pass, place + 2);
}

static __always_inline u64 window_64(struct pass *pass, u64 place)
{
    return window_32(pass, place) << 32 | window_32(pass, place + 4);
}

/* Passes over what is to be skipped, to a piece that has something left. False where there is none. */
static __always_inline int go_to_next(struct pass *pass, struct stream *stream)
{
    for (u32 n = 0; n < PIECES_A_TURN; n++) {
        u64 skip = stream->skip, left = pass->left, all = left + pass->rest;
        if (skip >= all) {
            stream->skip = skip - all;
            pass->left = pass->rest = 0;
            return 0;
        }
        if (skip < left) {
            pass->at += skip;
            pass->left = left - skip;
            stream->skip = 0;
            return 1;
        }
        stream->skip = skip - left;
        pass->left = 0;
        if (!next_piece(pass))
            return 0;
    }
    return 1;
}

/* Brings what comes next of a direction into the window, behind what was kept. False where it cannot be had. */
static __always_inline int bring(struct pass *pass, struct stream *stream)
{
    u64 left = pass->left;
    THERE(pass) = 0;
    if (!left || stream->skip)
        return 1;
    u32 have = stream->have, more = left < WINDOW_BYTES ? left : WINDOW_BYTES;
    asm volatile("%0 &= 255" : "+r"(have));
    asm volatile("%0 &= 511" : "+r"(more));
    if (have >= HEAD_BYTES) {
        struct way way = {pass->inode, pass->direction};
        struct partial *kept = amqp_partials.lookup(&way);
        if (!kept)
            return 0;
        __builtin_memcpy(pass->scan, kept->bytes, WINDOW_BYTES);
    } else if (have) {
        __builtin_memcpy(pass->scan, stream->head, HEAD_BYTES);
    }
    if (more > WINDOW_BYTES || bpf_probe_read_user(pass->scan + have, more, (void *)pass->at))
        return 0;
    THERE(pass) = have + more;
    return 1;
}

/* Keeps `length` bytes of the window from `place` on. */
static __always_inline void keep_some(struct pass *pass, struct stream *stream, u64 place, u64 length)
{
    asm volatile("%0 &= 255" : "+r"(place));
    stream->have = length & (WINDOW_BYTES - 1);
    if (length < HEAD_BYTES) {
        __builtin_memcpy(stream->head, pass->scan + place, HEAD_BYTES);
        return;
    }
    struct way way = {pass->inode, pass->direction};
    amqp_partials.update(&way, (struct partial *)(pass->scan + place));
}

/* Nothing can be done before more has come than the window holds. */
static __always_inline void wait_for_more(struct pass *pass, struct stream *stream)
{
    keep_some(pass, stream, 0, THERE(pass));
    pass->left = 0;
}

/* `used` bytes of the window have been looked at, and `skip` behind them are not. */
static __always_inline void use(struct pass *pass, struct stream *stream, u64 used, u64 skip)
{
    u64 have = stream->have & (WINDOW_BYTES - 1), there = THERE(pass), total = used + skip;
    if (total < have) { /* a part of what was kept is still to be looked at */
        keep_some(pass, stream, total, have - total);
        return;
    }
    total -= have; /* of the piece */
    u64 some = total < pass->left ? total : pass->left;
    pass->at += some;
    pass->left -= some;
    stream->skip = total - some;
    stream->have = 0;
}

/* ------------------------------------------------------------------ names */

#define MIX(hash, word) (((hash) ^ (word)) * 0x9e3779b97f4a7c15ULL)

static __always_inline u64 mixed(u64 hash, u64 word)
{
    hash = MIX(hash, word);
    return hash ^ hash >> 29;
}

/* Of SPELT letters at PLACE. */
static __always_inline u64 hash_of_name(struct pass *pass)
{
    volatile u64 *hash = &pass->words[3], *at = &pass->words[4];
    u64 length = SPELT(pass);
    *hash = length;
    *at = PLACE(pass);
    for (u32 n = 0; n < 64; n += 8) {
        u64 bound = length;
        asm volatile("" : "+r"(bound));
        if (n >= bound)
            break;
        u64 word = window_word(pass, *at), rest = bound - n;
        if (rest < 8)
            word &= (1ULL << (rest << 3)) - 1;
        *hash = mixed(*hash, word);
        *at += 8;
    }
    return *hash;
}

/* The text is kept under the number; 0: there are too many. */
static __always_inline u64 keep_text(struct pass *pass, u64 number, u64 length, int star)
{
    struct amqp_text text = {};
    u64 place = PLACE(pass);
    if (amqp_texts.lookup(&number))
        return number;
    asm volatile("%0 &= 511" : "+r"(place));
    __builtin_memcpy(text.text, pass->scan + place, NAME_BYTES);
    text.length = length;
    if (star) {
        asm volatile("%0 &= 31" : "+r"(length));
        text.text[length] = '*';
        text.length = length + 1;
    }
    amqp_texts.insert(&number, &text);
    return amqp_texts.lookup(&number) ? number : NAME_OTHER;
}

/* Letters before the hexadecimal digits and dashes that a generated name ends with; all where it was not generated. */
static __always_inline u64 letters_of_own(struct pass *pass, u64 length)
{
    volatile u64 *run = &pass->words[3], *digits = &pass->words[4];
    u64 place = PLACE(pass);
    *run = *digits = 0;
    for (u32 n = 0; n < NAME_BYTES; n++) {
        u64 bound = length;
        asm volatile("" : "+r"(bound));
        if (n >= bound)
            break;
        u32 c = window_byte(pass, place + n), digit = c - '0' < 10;
        u64 more = digit | (c - 'a' < 6) | (c == '-');
        *run = (*run + 1) * more;
        *digits = (*digits + digit) * more;
    }
    return *run >= FEWEST_FOLDED && *digits ? length - *run : length;
}

/* The number of the name of SPELT letters at PLACE; 0 where amqp_learn must give it one. */
static __always_inline u64 *number_of_name(struct pass *pass)
{
    if (SPELT(pass) > NAME_BYTES)
        SPELT(pass) = NAME_BYTES;
    u64 hash = hash_of_name(pass) | NAMES_BEGIN;
    return amqp_names.lookup(&hash);
}

/* A name that came for the first time, or was forgotten. Then pass->back goes on where it was found. */
int amqp_learn(struct exited *at)
{
    struct pass *pass = pass_here();
    if (!pass)
        return 0;
    u64 hash = hash_of_name(pass) | NAMES_BEGIN, length = SPELT(pass), number = hash;
    u64 own = letters_of_own(pass, length);
    if (own < 31 && own != length) {
        SPELT(pass) = own;
        number = mixed(hash_of_name(pass), '*') | NAMES_BEGIN;
        number = keep_text(pass, number, own, 1);
    } else {
        number = keep_text(pass, number, length, 0);
    }
    amqp_names.update(&hash, &number);
    if (pass->runs++ < MOST_RUNS)
        parsers.call(at, pass->back);
    return 0;
}

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
    if ((pass->left || pass->rest) && pass->runs++ < MOST_RUNS)
        parsers.call(at, CALL_AMQP_FRAMES);
    return 0;
}

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

/* ------------------------------------------------------------------ frames */

/* True where it is for several, which amqp_tags must see to. */
static __always_inline int acknowledged(struct pass *pass, struct amqp_channel *channel, u32 negative, u32 by_client)
{
    u64 tag = window_64(pass, 11);
    u32 all = window_byte(pass, 19) & 1;
    u32 method = by_client ? negative ? MESSAGE_NACK : MESSAGE_ACK : negative ? MESSAGE_REFUSE : MESSAGE_CONFIRM;
    count_message(pass, method, NAME_NONE, 0, 0);
    if (!channel || !is_on(SWITCH_AMQP))
        return 0;
    TAG(pass) = tag;
    CONFIRMS(pass) = !by_client;
    RESULT(pass) = negative;
    if (!all)
        take_tag(pass, by_client ? &channel->delivered : &channel->published, tag, !by_client, negative);
    return all;
}

/* The exchange that a method names at `at` in the window: its length, its letters. 0 where it is not known yet. */
static __always_inline u64 *exchange_at(struct pass *pass, struct content *content, u64 at)
{
    u64 length = window_byte(pass, at), *none = &content->size;
    *none = NAME_OTHER;
    content->fanout = 0;
    PLACE(pass) = at + 1;
    SPELT(pass) = length;
    if (at + 1 + length > THERE(pass))
        return none;
    *none = NAME_DEFAULT;
    if (!length)
        return none;
    content->fanout = length > 7 && window_word(pass, at + length - 7) >> 8 == 0x74756f6e61665fULL; /* …_fanout */
    return number_of_name(pass);
}

/* A method's frame is in the window as far as that reaches. */
static __always_inline u32 amqp_method(struct pass *pass, struct conn *conn, struct content *content)
{
    u32 method = window_32(pass, 7), carried = 0, from_client = conn->side == CLIENT ? SENT : RECEIVED, many = 0;
    volatile u64 *at = &pass->words[5], *again = &pass->words[6];
    struct amqp_channel *channel = 0;
    *at = *again = 0;
    switch (method) {
    case METHOD(60, 40):
        carried = MESSAGE_PUBLISH;
        *at = 13;
        break;
    case METHOD(60, 60):
        carried = MESSAGE_DELIVER;
        *at = 12 + window_byte(pass, 11) + 9;
        *again = window_byte(pass, *at - 1);
        break;
    case METHOD(60, 71):
        carried = MESSAGE_GET;
        *at = 11 + 9;
        *again = window_byte(pass, 19);
        break;
    case METHOD(60, 50):
        carried = MESSAGE_RETURN;
        *at = 14 + window_byte(pass, 13);
        break;
    }
    if (carried) {
        u64 *known = exchange_at(pass, content, *at), exchange;
        if (!known)
            return UNKNOWN_NAME;
        exchange = *known;
        begin_content(content, carried, exchange, *again);
    }
    if (method >> 16 == 60 || method >> 16 == 85)
        channel = channel_here(pass, content->channel);
    switch (method) {
    case METHOD(60, 40):
        if (channel && channel->confirms)
            give_tag(pass, &channel->published, channel->published.last + 1);
        break;
    case METHOD(60, 60):
    case METHOD(60, 71):
        if (channel)
            give_tag(pass, &channel->delivered, window_64(pass, *at - 9));
        break;
    case METHOD(60, 50):
        count_error(pass, ERROR_RETURN, window_16(pass, 11));
        break;
    case METHOD(60, 80):
    case METHOD(60, 120):
        many = acknowledged(pass, channel, method == METHOD(60, 120), pass->direction == from_client);
        CHANNEL(pass) = content->channel;
        break;
    case METHOD(60, 90):
        count_message(pass, MESSAGE_REJECT, NAME_NONE, 0, 0);
        if (channel)
            take_tag(pass, &channel->delivered, window_64(pass, 11), 0, 0);
        break;
    case METHOD(60, 20):
        if (channel)
            channel->consumers++;
        break;
    case METHOD(60, 30):
        if (channel && channel->consumers)
            channel->consumers--;
        break;
    case METHOD(85, 10):
        if (channel)
            channel->confirms = 1;
        break;
    case METHOD(20, 11):
        channel_here(pass, content->channel);
        break;
    case METHOD(20, 41):
        forget_channel(pass, content->channel);
        break;
    case METHOD(10, 31):
        ((struct amqp *)conn->state)->heartbeat = window_16(pass, 17) * SECOND;
        break;
    case METHOD(10, 50):
        if (window_16(pass, 11) >= LEAST_ERROR)
            count_error(pass, ERROR_CONNECTION, window_16(pass, 11));
        break;
    case METHOD(20, 40):
        if (window_16(pass, 11) >= LEAST_ERROR)
            count_error(pass, ERROR_CHANNEL, window_16(pass, 11));
        break;
    }
    return many ? MANY_TAGS : A_FRAME;
}

/* Milliseconds after which the message is of no use, which stand among the properties behind their flags. */
static __always_inline u32 expires_after(struct pass *pass)
{
    volatile u64 *at = &pass->words[5], *number = &pass->words[6];
    u32 flags = window_16(pass, 7 + 12);
    *number = 0;
    if (!(flags & 1 << 8) || flags & 1)
        return 0;
    *at = 7 + 14;
    if (flags & 1 << 15)
        *at += 1 + window_byte(pass, *at); /* content type */
    if (flags & 1 << 14)
        *at += 1 + window_byte(pass, *at); /* content encoding */
    if (flags & 1 << 13)
        *at += 4 + (window_32(pass, *at) & 0xff); /* headers */
    if (flags & 1 << 12)
        *at += 1; /* delivery mode */
    if (flags & 1 << 11)
        *at += 1; /* priority */
    if (flags & 1 << 10)
        *at += 1 + window_byte(pass, *at); /* correlation id */
    if (flags & 1 << 9)
        *at += 1 + window_byte(pass, *at); /* reply to */
    u64 digits = window_byte(pass, *at);
    if (*at + 1 + digits > THERE(pass) || digits > 10)
        return 0;
    for (u32 n = 0; n < 10; n++) {
        u64 bound = digits;
        asm volatile("" : "+r"(bound));
        if (n >= bound)
            break;
        *number = *number * 10 + (window_byte(pass, *at + 1 + n) - '0');
    }
    return *number;
}

/* The frame whose head is in the window. */
static __always_inline u32 amqp_frame(struct pass *pass, struct conn *conn, struct stream *stream,
                                      struct side_of_amqp *side)
{
    u64 there = THERE(pass), type = window_byte(pass, 0), size = window_32(pass, 3), wanted = 7;
    u32 made = A_FRAME;
    struct content *content = &side->content;
    if (there < 7) {
        wait_for_more(pass, stream);
        return A_FRAME;
    }
    if (size > LONGEST_FRAME || (type == FRAME_HEARTBEAT && size) || !type || (type > FRAME_BODY && type != FRAME_HEARTBEAT))
        return LOST_FRAME;
    if (type == FRAME_METHOD || type == FRAME_HEADER)
        wanted = 8 + size < WINDOW_BYTES ? 8 + size : WINDOW_BYTES;
    if (there < wanted) {
        wait_for_more(pass, stream);
        return A_FRAME;
    }
    if (there > 7 + size && window_byte(pass, 7 + size) != FRAME_END)
        return LOST_FRAME;
    if (type == FRAME_HEARTBEAT) {
        use(pass, stream, 7, 1);
        return A_FRAME;
    }
    change_content(pass, content, window_16(pass, 1));
    if (type == FRAME_METHOD) {
        if (size < 4)
            return LOST_FRAME;
        made = amqp_method(pass, conn, content);
        if (made == UNKNOWN_NAME)
            return made;
    } else if (type == FRAME_HEADER) {
        if (size < 14)
            return LOST_FRAME;
        if (content->phase == TO_HEADER) {
            content->size = window_32(pass, 11) << 32 | window_32(pass, 15);
            content->expires = expires_after(pass);
            content->phase = TO_BODY;
            if (!content->size)
                count_content(pass, content);
        }
    } else if (content->phase == TO_BODY) {
#ifdef SWITCH_RPC
        if (content->kind == BODY_UNKNOWN && there >= 15 && window_word(pass, 7) != ENVELOPE_BEGINS)
            content->kind = BODY_PLAIN;
        if (is_on(SWITCH_RPC) && content->kind != BODY_PLAIN && content->done + size > content->from) {
            u32 carried = content->carried & (HEAD_BYTES - 1);
            use(pass, stream, 7, 0);
            side->mode = AT_BODY;
            side->left = size + carried;
            if (carried) {
                __builtin_memcpy(stream->head, content->carry, HEAD_BYTES);
                stream->have = carried;
                content->done -= carried;
                content->carried = 0;
            }
            return A_FRAME;
        }
#endif
        content->done += size;
        if (content->done >= content->size)
            count_content(pass, content);
    }
    use(pass, stream, 7, size + 1);
    return made;
}

static __always_inline int amqp_is_on(void)
{
#ifdef SWITCH_RPC
    if (is_on(SWITCH_RPC))
        return 1;
#endif
    return is_on(SWITCH_AMQP);
}

/* What a program of ours begins with: 0 where there is nothing to follow. */
static __always_inline struct conn *amqp_of(struct pass *pass)
{
    struct conn *conn = conns.lookup(&pass->inode);
    if (!conn)
        return 0;
    if (!amqp_is_on()) {
        forget(conn);
        return 0;
    }
    struct amqp *amqp = (struct amqp *)conn->state;
    struct side_of_amqp *side = &amqp->sides[pass->direction & 1];
    if (!pass->runs) {
        u64 silent = pass->now - side->last;
        if (amqp->heartbeat && side->last && pass->direction == RECEIVED && silent > amqp->heartbeat)
            count_missed(pass);
        side->last = pass->now;
    }
    if (conn->ended == CLOSED) {
        conns.delete(&pass->inode);
        return 0;
    }
    return conn;
}

static __always_inline int amqp_lost_its_way(struct conn *conn)
{
    lose(LOST_SYNC);
    forget(conn);
    return 0;
}

/* For what one run cannot look at. */
static __always_inline int amqp_goes_on(struct exited *at, struct pass *pass, struct conn *conn, u32 place)
{
    if (pass->runs++ < MOST_RUNS)
        parsers.call(at, place);
    lose(LOST_LONG);
    forget(conn);
    return 0;
}

int amqp_frames(struct exited *at)
{
    struct pass *pass = pass_here();
    struct conn *conn = pass ? amqp_of(pass) : 0;
    if (!conn)
        return 0;
    struct amqp *amqp = (struct amqp *)conn->state;
    struct stream *stream = &conn->streams[pass->direction & 1];
    struct side_of_amqp *side = &amqp->sides[pass->direction & 1];
    for (int turn = 0; turn < FRAMES_A_RUN; turn++) {
        if (!go_to_next(pass, stream))
            return 0;
        if (side->mode == AT_BODY) {
#ifdef SWITCH_RPC
            return amqp_goes_on(at, pass, conn, CALL_RPC_BODY);
#endif
        }
        if (!bring(pass, stream))
            return amqp_lost_its_way(conn);
        if (!THERE(pass))
            continue;
        u32 made = amqp_frame(pass, conn, stream, side);
        if (made == LOST_FRAME)
            return amqp_lost_its_way(conn);
        if (made == MANY_TAGS)
            return amqp_goes_on(at, pass, conn, CALL_AMQP_TAGS);
        if (made == UNKNOWN_NAME) {
            pass->back = CALL_AMQP_FRAMES;
            return amqp_goes_on(at, pass, conn, CALL_AMQP_LEARN);
        }
    }
    if (!pass->left && !pass->rest)
        return 0;
    return amqp_goes_on(at, pass, conn, CALL_AMQP_FRAMES);
}

int amqp_answers(struct exited *at)
{
    parsers.call(at, CALL_AMQP_FRAMES);
    return 0;
}

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
