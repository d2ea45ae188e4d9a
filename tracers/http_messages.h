/* HTTP/1.1: requests, answers, and bodies in chunks. */

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
    letters = first_place(bit);
    if (!bit) {
        bit = first_bit(word_of(pass, begin + 8), ' ');
        letters = bit ? 8 + first_place(bit) : 16;
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
