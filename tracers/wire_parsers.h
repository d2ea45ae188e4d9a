/* What parsers are made with: the next bytes of a stream, and what they say of a connection. */

/* ------------------------------------------------------------------ for parsers */

/* Brings the next piece of an iovec. False when there is none. */
static __always_inline int next_piece(struct pass *pass)
{
    u64 iovec[2] = {0, 0};
    if (!pass->rest || !pass->pieces)
        return 0;
    if (bpf_probe_read_user(iovec, sizeof(iovec), (void *)pass->vector))
        return 0;
    pass->vector += sizeof(iovec);
    pass->pieces--;
    if (iovec[1] > pass->rest)
        iovec[1] = pass->rest;
    pass->rest -= iovec[1];
    pass->at = iovec[0];
    pass->left = iovec[1];
    return 1;
}

#define FIRST_PIECES 6 /* of an iovec that a beginning is put together from */

/* For recognisers: brings the first bytes of what was moved into pass->head, behind `have` that stand there, and takes
 * none away. How many stand there then. */
static __always_inline u32 beginning(struct pass *pass, u32 have)
{
    u64 iovec[2] = {pass->at, pass->left}, rest = pass->rest, vector = pass->vector;
    for (u32 n = 0; n < FIRST_PIECES; n++) {
        u32 more = iovec[1] < HEAD_BYTES ? iovec[1] : HEAD_BYTES;
        asm volatile("%0 &= 127" : "+r"(more));
        asm volatile("%0 &= 63" : "+r"(have));
        if (more > HEAD_BYTES || bpf_probe_read_user(pass->head + have, more, (void *)iovec[0]))
            break;
        have += more;
        if (have >= HEAD_BYTES || !rest || n >= pass->pieces)
            break;
        if (bpf_probe_read_user(iovec, sizeof(iovec), (void *)vector))
            break;
        vector += sizeof(iovec);
        if (iovec[1] > rest)
            iovec[1] = rest;
        rest -= iovec[1];
    }
    return have < HEAD_BYTES ? have : HEAD_BYTES;
}

/* By words: bytes one by one take clang 19 more stack than there is. */
static __always_inline void copy_head(u8 *to, const u8 *from)
{
    for (u32 n = 0; n < HEAD_BYTES; n += 8)
        *(u64 *)(to + n) = *(const u64 *)(from + n);
}

/* Brings the beginning of the stream's next message into pass->head, together with what has come of it before. Returns
 * how many bytes stand there, of this message and perhaps of the next ones; 0 when the piece is used up before. Then
 * `took` or `keep` must be called. */
static __always_inline u32 gather(struct pass *pass, struct stream *stream)
{
    u64 skip = stream->skip, left = pass->left;
    if (skip) {
        u64 some = skip < left ? skip : left;
        pass->at += some;
        pass->left = left = left - some;
        stream->skip = skip - some;
    }
    if (!left)
        return 0;
    u32 have = stream->have & (HEAD_BYTES - 1);
    if (have)
        copy_head(pass->head, stream->head);
    u32 more = HEAD_BYTES - have;
    if (left < more)
        more = left;
    asm volatile("%0 &= 127" : "+r"(more));
    asm volatile("%0 &= 63" : "+r"(have));
    if (more > HEAD_BYTES)
        return 0;
    if (bpf_probe_read_user(pass->head + have, more, (void *)pass->at)) {
        lose(LOST_MEMORY);
        pass->left = 0;
        return 0;
    }
    pass->began = pass->at - have;
    pass->before = have;
    return have + more;
}

/* The head is whole, and the message has `total` bytes. Behind what is there of it the head is 0. */
static __always_inline void took(struct pass *pass, struct stream *stream, u32 got, u64 total)
{
    u64 of_it = total < got ? total : got, here = of_it - (stream->have & (HEAD_BYTES - 1));
    pass->at += here;
    pass->left -= here;
    stream->skip = total - of_it;
    stream->have = 0;
    asm volatile("%0 &= 127" : "+r"(of_it));
    pass->head[of_it] = 0; /* what stands behind it is of another message, or of another connection */
}

/* The head is not whole yet: the rest comes with the next piece. */
static __always_inline void keep(struct pass *pass, struct stream *stream, u32 got)
{
    copy_head(stream->head, pass->head);
    stream->have = got & (HEAD_BYTES - 1);
    pass->left = 0;
}

/* Whether the head of a message of `total` bytes is there with `got` of them. */
#define IS_WHOLE(got, total) ((got) >= HEAD_BYTES || (got) >= (total))

/* A message's beginning is where the bytes come from: nothing of it is waited for any more. */
static __always_inline void begin_anew(struct stream *stream)
{
    stream->skip = 0;
    stream->have = 0;
}

/* A byte of the head. The mask in assembler, because the compiler drops one that it can prove and the verifier cannot. */
static __always_inline u8 head_at(struct pass *pass, u64 place)
{
    asm volatile("%0 &= 127" : "+r"(place));
    return pass->head[place];
}

static __always_inline u32 little_24(const u8 *at) { return at[0] | at[1] << 8 | (u32)at[2] << 16; }
static __always_inline u32 little_32(const u8 *at) { return little_24(at) | (u32)at[3] << 24; }
static __always_inline u32 big_32(const u8 *at)
{
    return (u32)at[0] << 24 | (u32)at[1] << 16 | at[2] << 8 | at[3];
}

/* Of what stands in pass->scan, eight bytes and one. */
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

#define ONES 0x0101010101010101ULL
#define HIGHS (ONES << 7)

/* The high bits of the bytes of a word that are 0. Above the first of them others may be set, which are not. */
static __always_inline u64 zero_bytes(u64 word) { return (word - ONES) & ~word & HIGHS; }

/* The place of the first byte whose high bit is set; 0 for none. */
static __always_inline u64 first_place(u64 bits) { return ((bits & -bits) >> 7) * 0x0001020304050607ULL >> 56; }

static __always_inline int is_request(struct conn *conn, struct pass *pass)
{
    return pass->direction == (conn->side == CLIENT ? SENT : RECEIVED);
}

/* The place of the program for these bytes. */
static __always_inline u32 place_of(struct conn *conn, struct pass *pass)
{
    return conn->parser ? conn->parser + !is_request(conn, pass) : 0;
}

/* A recogniser knows these bytes: from now on the programs at `parser` and behind it follow the connection. */
static __always_inline void recognised(struct conn *conn, u32 parser, u32 side)
{
    __builtin_memset(conn->state, 0, sizeof(conn->state));
    begin_anew(&conn->streams[RECEIVED]);
    begin_anew(&conn->streams[SENT]);
    conn->side = side;
    conn->parser = parser;
}

#if defined(SOCKET_INODE) && defined(SOCKET_SK)
/* For the check of a parser: whether nobody holds this socket any more. Its memory may be another's by now, which has
 * another number, or nobody's; until then it stands there without what a release has taken from it. */
static __always_inline int is_gone(struct conn *conn, u64 number)
{
    if (!conn->address)
        return 0;
#if PARAMETER_TLS
    if (number >> 63) /* the key of a connection of libssl */
        number = conn->tls;
#endif
    return pointer_at(conn->address + INODE_NUMBER) != number || !pointer_at(conn->address - SOCKET_INODE + SOCKET_SK);
}
#else
static __always_inline int is_gone(struct conn *conn, u64 number) { return 0; }
#endif

/* The connection has lost its way: it may be recognised anew. */
static __always_inline void forget(struct conn *conn)
{
    conn->parser = 0;
    conn->misses = 0;
}
