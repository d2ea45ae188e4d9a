/* Requests in uWSGI's binary protocol; its answers are HTTP's. */

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
