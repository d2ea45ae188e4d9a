/* Reads heads and paths of HTTP, a block of bytes at a time. Counts nothing. */

/* ------------------------------------------------------------------ blocks */

/* All in memory, so that the verifier need not follow each of their values. */
#define NEXT(pass) (*(volatile u32 *)&(pass)->cursor)     /* place in the block */
#define LENGTH(pass) (*(volatile u64 *)&(pass)->words[0]) /* of the block */
#define FRESH(pass) (*(volatile u64 *)&(pass)->words[1])  /* a line begins there */
#define BEGAN(pass) (*(volatile u64 *)&(pass)->words[2])  /* where the present line began; NOWHERE: in another block */
#define NUMBER(pass) (*(volatile u64 *)&(pass)->words[3]) /* where Content-Length's line begins; NOWHERE: not seen */
#define CODING(pass) (*(volatile u64 *)&(pass)->words[6]) /* the same of Transfer-Encoding */
#define WHOLE(pass) (*(volatile u64 *)&(pass)->words[4])  /* the head, or what else was looked for, is at its end */

/* Brings the next block, behind what was kept of a line: how many bytes it has, 0 for none. */
static __always_inline u32 block(struct pass *pass, struct stream *stream)
{
    u32 have = stream->have, more = pass->left < BLOCK_BYTES ? pass->left : BLOCK_BYTES;
    if (have)
        copy_head(pass->scan, stream->head);
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
    copy_head(stream->head, pass->scan + place);
    stream->have = kept & 63;
}

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
    u64 hit = zero_bytes(word ^ (ONES * c));
    return hit & -hit;
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
        NEXT(pass) = place + 1 + first_place(bit) + 7 * none;
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
