/* Reads oslo.messaging's envelopes in the bodies that amqp.bpf.c comes to, and pairs calls with their replies.
 *
 * A body is JSON within JSON: the name of a method, the class of an exception stand near its head, the id of a call
 * behind the arguments, before the context of the request. So the head is looked at, and of the rest no more than the
 * last TAIL_BYTES, up to the id.
 */

enum { REPLY_FAILED = 1, REPLY_GOES_ON = 2, HAS_ID = 4 };
enum { RPC_OTHER_SIDE, RPC_CLIENT, RPC_SERVER, RPC_BROKER };
enum { LEG_REQUEST, LEG_REPLY };
enum { KIND_CALL, KIND_CAST, KIND_FANOUT };
enum { FLIGHT_CALL = 1, FLIGHT_WORK, FLIGHT_BROKER, FLIGHT_EARLY }; /* in the order of ROLES in rpc.py */

#define TAIL_BYTES 8192
#define SCAN_BYTES_OF_BODY 448 /* that are looked at in one go where there is nothing else */
#define OVERLAP 64 /* more than an id with its key has */
#define BEFORE 112 /* bytes before an id's key that are kept: version and namespace stand there */
#define ID_BYTES 32
#define SHORTEST_ENVELOPE 56
#define SCAN_TURNS 12
#define FLIGHTS 16384

#define PACKED(s, k)                                                                                                   \
    ((u64)(u8)(s)[(k)] | (u64)(u8)(s)[(k) + 1] << 8 | (u64)(u8)(s)[(k) + 2] << 16 | (u64)(u8)(s)[(k) + 3] << 24 |      \
     (u64)(u8)(s)[(k) + 4] << 32 | (u64)(u8)(s)[(k) + 5] << 40 | (u64)(u8)(s)[(k) + 6] << 48 |                         \
     (u64)(u8)(s)[(k) + 7] << 56)
#define ENVELOPE "{\"oslo.version\": \"2.0\", \"oslo.message\": \"{\\\""
#define CALL_ID "_msg_id\\\": \\\""
#define UNIQUE_ID "_unique_id\\"
#define VERSION "version\\"
#define LONGEST_VERSION 8
#define LONGEST_SPACE 48

struct rpc_call { /* key */
    u32 program;
    u32 leg; /* at a broker */
    u64 method;
};
struct rpc_kind {
    u32 program;
    u8 side;
    u8 what;
    u16 unused;
    u64 method;
};
struct rpc_end { /* key */
    u32 program;
    u32 side;
    u64 method;
};
struct rpc_notice {
    u32 program;
    u8 side;
    u8 priority;
    u16 unused;
    u64 event;
};
struct rpc_failure {
    u32 program;
    u32 side;
    u64 method;
    u64 exception;
};
struct rpc_space { /* what a method with a namespace consists of */
    u64 space, method;
};
struct rpc_client_times {
    u64 sum;
    u64 counts[RPC_CLIENT_SLOTS];
};
struct rpc_server_times {
    u64 sum;
    u64 counts[RPC_SERVER_SLOTS];
};
struct rpc_broker_times {
    u64 sum;
    u64 counts[RPC_BROKER_SLOTS];
};
struct flight_of {
    u64 id;
    u64 role;
};
struct rpc_flight {
    u64 at;
    u64 method;
    u32 program;
    u32 expires; /* milliseconds */
    u32 overdue; /* has been counted as unanswered */
    u32 leg;
};

BPF_TABLE("hash", struct rpc_call, struct rpc_client_times, rpc_client, RPC_CLIENT_ENTRIES);
BPF_TABLE("hash", struct rpc_call, struct rpc_server_times, rpc_server, RPC_SERVER_ENTRIES);
BPF_TABLE("hash", struct rpc_call, struct rpc_broker_times, rpc_broker, RPC_BROKER_ENTRIES);
BPF_TABLE("percpu_hash", struct rpc_kind, u64, rpc_messages, RPC_MESSAGES_ENTRIES);
BPF_TABLE("percpu_hash", struct rpc_failure, u64, rpc_failures, RPC_FAILURES_ENTRIES);
BPF_TABLE("percpu_hash", struct rpc_notice, u64, rpc_notices, RPC_NOTICES_ENTRIES);
BPF_TABLE("percpu_hash", struct rpc_end, u64, rpc_again, RPC_AGAIN_ENTRIES);
BPF_TABLE("percpu_hash", struct rpc_end, u64, rpc_late, RPC_LATE_ENTRIES);
BPF_TABLE("percpu_hash", struct rpc_end, u64, rpc_overdue, 1024); /* the companion adds what it finds itself */
BPF_TABLE("hash", u64, struct rpc_space, rpc_spaces, 1024); /* by the number that both have together */
BPF_TABLE("hash", struct flight_of, struct rpc_flight, rpc_flights, FLIGHTS);
BPF_PERCPU_ARRAY(rpc_blank, struct rpc_client_times, 1); /* never written to; the largest value */

/* ------------------------------------------------------------------ counting */

static __always_inline void count_rpc_client(struct rpc_call *key, u64 spent)
{
    struct rpc_client_times *found = rpc_client.lookup(key);
    if (!found) {
        int zero = 0;
        struct rpc_client_times *nothing = rpc_blank.lookup(&zero);
        if (nothing)
            rpc_client.insert(key, nothing);
        found = rpc_client.lookup(key);
    }
    if (!found) {
        lose(LOST_RPC_FULL);
        return;
    }
    observe_shared(&found->sum, found->counts, spent, RPC_CLIENT_FIRST, RPC_CLIENT_SLOTS);
}

static __always_inline void count_rpc_server(struct rpc_call *key, u64 spent)
{
    struct rpc_server_times *found = rpc_server.lookup(key);
    if (!found) {
        int zero = 0;
        struct rpc_server_times *nothing = (struct rpc_server_times *)rpc_blank.lookup(&zero);
        if (nothing)
            rpc_server.insert(key, nothing);
        found = rpc_server.lookup(key);
    }
    if (!found) {
        lose(LOST_RPC_FULL);
        return;
    }
    observe_shared(&found->sum, found->counts, spent, RPC_SERVER_FIRST, RPC_SERVER_SLOTS);
}

static __always_inline void count_rpc_broker(struct rpc_call *key, u64 spent)
{
    struct rpc_broker_times *found = rpc_broker.lookup(key);
    if (!found) {
        int zero = 0;
        struct rpc_broker_times *nothing = (struct rpc_broker_times *)rpc_blank.lookup(&zero);
        if (nothing)
            rpc_broker.insert(key, nothing);
        found = rpc_broker.lookup(key);
    }
    if (!found) {
        lose(LOST_RPC_FULL);
        return;
    }
    observe_shared(&found->sum, found->counts, spent, RPC_BROKER_FIRST, RPC_BROKER_SLOTS);
}

static __always_inline void count_rpc_message(u32 program, u32 side, u32 what, u64 method)
{
    struct rpc_kind key = {program, side, what, 0, method};
    u64 none = 0;
    add(rpc_messages.lookup_or_try_init(&key, &none), 1, LOST_RPC_FULL);
}

static __always_inline void count_again(struct rpc_end *key)
{
    u64 none = 0;
    add(rpc_again.lookup_or_try_init(key, &none), 1, LOST_RPC_FULL);
}

static __always_inline void count_overdue(struct rpc_end *key)
{
    u64 none = 0;
    add(rpc_overdue.lookup_or_try_init(key, &none), 1, LOST_RPC_FULL);
}

static __always_inline void count_late(struct rpc_end *key)
{
    u64 none = 0;
    add(rpc_late.lookup_or_try_init(key, &none), 1, LOST_RPC_FULL);
}

static __always_inline void count_notice(struct rpc_notice *key)
{
    u64 none = 0;
    add(rpc_notices.lookup_or_try_init(key, &none), 1, LOST_RPC_FULL);
}

static __always_inline void count_rpc_failure(u32 program, u32 side, u64 method, u64 exception)
{
    struct rpc_failure key = {program, side, method, exception};
    u64 none = 0;
    add(rpc_failures.lookup_or_try_init(&key, &none), 1, LOST_RPC_FULL);
}

/* ------------------------------------------------------------------ pairing */

static __always_inline void begin_flight(struct pass *pass, struct content *content, struct flight_of *key, u32 side)
{
    struct rpc_flight flight = {pass->now, content->name, pass->program, content->expires};
    if (!rpc_flights.insert(key, &flight))
        return;
    struct rpc_flight *known = rpc_flights.lookup(key);
    if (!known) {
        lose(LOST_RPC_FULL);
        return;
    }
    struct rpc_end end = {pass->program, side, content->name};
    count_again(&end);
    if (side == RPC_SERVER)
        rpc_flights.update(key, &flight); /* who works on it now */
}

static __always_inline void request_came(struct pass *pass, struct conn *conn, struct content *content)
{
    struct flight_of key = {content->id, FLIGHT_CALL};
    u32 sent = pass->direction == SENT;
    if (conn->side == SERVER) {
        key.role = FLIGHT_BROKER;
        if (!sent) {
            begin_flight(pass, content, &key, RPC_BROKER);
            return;
        }
        struct rpc_flight *flight = rpc_flights.lookup(&key);
        if (flight && !flight->leg) {
            struct rpc_call call = {pass->program, LEG_REQUEST, content->name};
            flight->leg = 1;
            count_rpc_broker(&call, pass->now - flight->at);
        }
        return;
    }
    if (!sent) {
        key.role = FLIGHT_WORK;
        begin_flight(pass, content, &key, RPC_SERVER);
        return;
    }
    key.role = FLIGHT_CALL;
    begin_flight(pass, content, &key, RPC_CLIENT);
    key.role = FLIGHT_EARLY;
    struct rpc_flight *early = rpc_flights.lookup(&key);
    if (!early)
        return;
    /* The reply was read before this send had returned: the call took no longer than that. Each of the two puts its own
     * entry first and then looks for the other's; whoever takes the early one away has both. */
    u64 exception = early->method, failed = early->leg;
    if (rpc_flights.delete(&key))
        return;
    key.role = FLIGHT_CALL;
    rpc_flights.delete(&key);
    struct rpc_call call = {pass->program, 0, content->name};
    if (failed)
        count_rpc_failure(pass->program, RPC_CLIENT, content->name, exception);
    count_rpc_client(&call, 0);
}

/* A reply to a call that is not known yet: it waits for it, unless the call has come in this moment. */
static __always_inline struct rpc_flight *asked_meanwhile(struct pass *pass, struct content *content,
                                                          struct flight_of *key)
{
    struct rpc_flight early = {pass->now, content->name, pass->program, 0, 0, content->flags & REPLY_FAILED};
    key->role = FLIGHT_EARLY;
    if (rpc_flights.insert(key, &early)) {
        lose(LOST_RPC_FULL);
        return 0;
    }
    key->role = FLIGHT_CALL;
    struct rpc_flight *flight = rpc_flights.lookup(key);
    key->role = FLIGHT_EARLY;
    if (!flight || rpc_flights.delete(key))
        return 0;
    key->role = FLIGHT_CALL;
    return flight;
}

static __always_inline void reply_came(struct pass *pass, struct conn *conn, struct content *content)
{
    struct flight_of key = {content->id, FLIGHT_CALL};
    u32 sent = pass->direction == SENT, side = sent ? RPC_SERVER : RPC_CLIENT;
    if (conn->side == SERVER)
        key.role = FLIGHT_BROKER;
    else if (sent)
        key.role = FLIGHT_WORK;
    if (content->flags & REPLY_GOES_ON)
        return;
    struct rpc_flight *flight = rpc_flights.lookup(&key);
    struct rpc_call call = {pass->program, 0, 0};
    if (!flight && key.role == FLIGHT_CALL)
        flight = asked_meanwhile(pass, content, &key);
    if (!flight)
        return;
    call.method = flight->method;
    if (key.role == FLIGHT_BROKER) {
        if (!sent) {
            if (!flight->leg) { /* it is answered before the send to the server has returned */
                call.leg = LEG_REQUEST;
                count_rpc_broker(&call, pass->now - flight->at);
            }
            flight->at = pass->now;
            flight->leg = 2;
            return;
        }
        call.leg = LEG_REPLY;
        if (flight->leg == 2)
            count_rpc_broker(&call, pass->now - flight->at);
        rpc_flights.delete(&key);
        return;
    }
    u64 spent = pass->now > flight->at ? pass->now - flight->at : 0;
    struct rpc_end end = {pass->program, side, call.method};
    u32 counted = flight->overdue, late = counted || (flight->expires && spent > flight->expires * 1000000ULL);
    rpc_flights.delete(&key);
    if (late && !counted)
        count_overdue(&end);
    if (late)
        count_late(&end);
    if (content->flags & REPLY_FAILED)
        count_rpc_failure(pass->program, side, call.method, content->name);
    if (side == RPC_SERVER)
        count_rpc_server(&call, spent);
    else if (!late)
        count_rpc_client(&call, spent);
}

/* Everything that is to be known of the message has been read. */
static __always_inline void rpc_came(struct pass *pass, struct conn *conn, struct content *content)
{
    u32 kind = content->kind, sent = pass->direction == SENT;
    u32 side = conn->side == SERVER ? RPC_BROKER : sent ? RPC_CLIENT : RPC_SERVER;
    content->kind = BODY_READ;
    if (content->method == MESSAGE_RETURN)
        return;
    if (kind == BODY_REPLY) {
        if (content->flags & HAS_ID)
            reply_came(pass, conn, content);
        return;
    }
    if (kind == BODY_NOTICE) {
        struct rpc_notice notice = {pass->program, side, content->priority, 0, content->name};
        if (side != RPC_BROKER || !sent)
            count_notice(&notice);
        return;
    }
    if (kind != BODY_REQUEST)
        return;
    if (content->flags & HAS_ID)
        request_came(pass, conn, content);
    if (side != RPC_BROKER || !sent)
        count_rpc_message(pass->program, side, content->flags & HAS_ID ? KIND_CALL : content->fanout ? KIND_FANOUT : KIND_CAST, content->name);
}

#include "rpc_envelope.h"
