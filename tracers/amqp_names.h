/* Brings the bytes that are looked at, and gives names numbers. Counts nothing. */

/* ------------------------------------------------------------------ the window */

/* All in memory, so that the verifier need not follow each of their values. */
#define THERE(pass) (*(volatile u64 *)&(pass)->words[0]) /* bytes in the window */
#define PLACE(pass) (*(volatile u64 *)&(pass)->words[1]) /* of a name */
#define SPELT(pass) (*(volatile u64 *)&(pass)->words[2]) /* letters of it */

static __always_inline u32 window_16(struct pass *pass, u64 place)
{
    return byte_of(pass, place) << 8 | byte_of(pass, place + 1);
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
        copy_head(pass->scan, stream->head);
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
        copy_head(stream->head, pass->scan + place);
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

/* For what one run cannot look at. */
static __always_inline int amqp_goes_on(struct exited *at, struct pass *pass, struct conn *conn, u32 place)
{
    if (pass->runs++ < MOST_RUNS)
        parsers.call(at, place);
    lose(LOST_LONG);
    forget(conn);
    return 0;
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
        u64 word = word_of(pass, *at), rest = bound - n;
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
        u32 c = byte_of(pass, place + n), digit = c - '0' < 10;
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
    struct conn *conn = conns.lookup(&pass->inode);
    return conn ? amqp_goes_on(at, pass, conn, pass->back) : 0;
}
