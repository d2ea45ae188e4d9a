/* Walks the frames of a connection that is known to speak AMQP. */

/* ------------------------------------------------------------------ frames */

/* True where it is for several, which amqp_tags must see to. */
static __always_inline int acknowledged(struct pass *pass, struct amqp_channel *channel, u32 negative, u32 by_client)
{
    u64 tag = window_64(pass, 11);
    u32 all = byte_of(pass, 19) & 1;
    u32 method = by_client ? negative ? MESSAGE_NACK : MESSAGE_ACK : negative ? MESSAGE_REFUSE : MESSAGE_CONFIRM;
    count_message(pass, method, NAME_NONE, 0, 0);
    if (channel && by_client)
        count_answered(channel, tag, all);
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
    u64 length = byte_of(pass, at), *none = &content->size;
    *none = NAME_OTHER;
    content->fanout = 0;
    PLACE(pass) = at + 1;
    SPELT(pass) = length;
    if (at + 1 + length > THERE(pass))
        return none;
    *none = NAME_DEFAULT;
    if (!length)
        return none;
    content->fanout = length > 7 && word_of(pass, at + length - 7) >> 8 == 0x74756f6e61665fULL; /* …_fanout */
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
        *at = 12 + byte_of(pass, 11) + 9;
        *again = byte_of(pass, *at - 1);
        break;
    case METHOD(60, 71):
        carried = MESSAGE_GET;
        *at = 11 + 9;
        *again = byte_of(pass, 19);
        break;
    case METHOD(60, 50):
        carried = MESSAGE_RETURN;
        *at = 14 + byte_of(pass, 13);
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
    if (channel)
        owes_since(channel, (struct amqp *)conn->state);
    switch (method) {
    case METHOD(60, 40):
        if (channel && channel->confirms)
            give_tag(pass, &channel->published, channel->published.last + 1);
        break;
    case METHOD(60, 60):
    case METHOD(60, 71):
        if (channel) {
            give_tag(pass, &channel->delivered, window_64(pass, *at - 9));
            count_delivered(channel, window_64(pass, *at - 9), method == METHOD(60, 71));
        }
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
        if (channel) {
            take_tag(pass, &channel->delivered, window_64(pass, 11), 0, 0);
            count_answered(channel, window_64(pass, 11), 0);
        }
        break;
    case METHOD(60, 20):
        if (channel) {
            channel->consumers++;
            *at = 13;
            consumer_begins(pass, channel, at);
        }
        break;
    case METHOD(60, 70):
        if (channel)
            channel->got_free = byte_of(pass, 14 + byte_of(pass, 13)) & 1;
        break;
    case METHOD(60, 100):
    case METHOD(60, 110):
        if (channel)
            channel->owed = 0; /* Recover: all are delivered again */
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
        *at += 1 + byte_of(pass, *at); /* content type */
    if (flags & 1 << 14)
        *at += 1 + byte_of(pass, *at); /* content encoding */
    if (flags & 1 << 13)
        *at += 4 + (window_32(pass, *at) & 0xff); /* headers */
    if (flags & 1 << 12)
        *at += 1; /* delivery mode */
    if (flags & 1 << 11)
        *at += 1; /* priority */
    if (flags & 1 << 10)
        *at += 1 + byte_of(pass, *at); /* correlation id */
    if (flags & 1 << 9)
        *at += 1 + byte_of(pass, *at); /* reply to */
    u64 digits = byte_of(pass, *at);
    if (*at + 1 + digits > THERE(pass) || digits > 10)
        return 0;
    for (u32 n = 0; n < 10; n++) {
        u64 bound = digits;
        asm volatile("" : "+r"(bound));
        if (n >= bound)
            break;
        *number = *number * 10 + (byte_of(pass, *at + 1 + n) - '0');
    }
    return *number;
}

/* The frame whose head is in the window. */
static __always_inline u32 amqp_frame(struct pass *pass, struct conn *conn, struct stream *stream,
                                      struct side_of_amqp *side)
{
    u64 there = THERE(pass), type = byte_of(pass, 0), size = window_32(pass, 3), wanted = 7;
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
    if (there > 7 + size && byte_of(pass, 7 + size) != FRAME_END)
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
        if (content->kind == BODY_UNKNOWN && there >= 15 && word_of(pass, 7) != ENVELOPE_BEGINS)
            content->kind = BODY_PLAIN;
        if (is_on(SWITCH_RPC) && content->kind != BODY_PLAIN && content->done + size > content->from) {
            u32 carried = content->carried & (HEAD_BYTES - 1);
            use(pass, stream, 7, 0);
            side->mode = AT_BODY;
            side->left = size + carried;
            if (carried) {
                copy_head(stream->head, content->carry);
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
    if (!amqp->since)
        amqp->since = pass->now;
    if (!pass->runs) {
        u64 silent = pass->now - side->last;
        if (amqp->heartbeat && side->last && pass->direction == RECEIVED && silent > amqp->heartbeat)
            count_missed(pass);
        side->last = pass->now;
    }
    if (conn->ended == CLOSED) {
        give_back(&pass->inode);
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
