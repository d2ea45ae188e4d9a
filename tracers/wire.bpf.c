/* The bytes that named programs send and receive over sockets, looked at once for all protocols.
 *
 * A system call is looked at when it returns: its arguments are still in the saved registers, so nothing has to be kept
 * from its entry. The socket is known by its inode, whoever holds it under whatever descriptor, from fork to close. What
 * a connection speaks is found out from its first bytes, or later at the beginning of a message; then each chunk of bytes
 * goes to one program of one parser, which lies behind a tail call and follows the stream from message to message.
 */

#ifdef IN_UPROBE
#include <uapi/linux/ptrace.h> /* registers, which are of the ABI */
#endif

#define HEAD_BYTES 64 /* of a message: what parsers see of it */
#define STATE_WORDS 48
#define CONNECTIONS 16384
#define MOST_MISSES 40 /* chunks that nobody recognised; then one in 17 is looked at */
#define FEW_MISSES 17  /* odd: or of a question and an answer in turn it might be the answer each time */
#define MOST_RUNS 28 /* the kernel allows 33 tail calls, and a recogniser or a scan may have come before */

enum { RECEIVED, SENT };
enum { UNKNOWN, CLIENT, SERVER };
enum { BROKEN = 1, CLOSED };
enum { WAITING = 1, GIVEN_UP }; /* for who can read an encrypted connection */

struct stream {
    u64 skip; /* bytes of the present message that are still to come and that nobody looks at */
    u32 have; /* bytes of the head of the next message that have come */
    u32 unused;
    u8 head[HEAD_BYTES];
};
struct conn {
    u32 waiting; /* requests without an answer, if the parser keeps count; it and the next ones are read in Python */
    u32 owner;   /* the program under which they are counted */
    u8 side;
    u8 ended;      /* BROKEN: no more bytes come in one direction; CLOSED: nobody holds the socket any more */
    u8 unreadable; /* nobody looks at it any more */
    u16 misses;
    u32 parser; /* place in `parsers` of the program for its requests, the one for answers follows; 0: not recognised */
    u32 program; /* that moved the last bytes */
    u64 address; /* of the socket's inode in the kernel */
#if PARAMETER_TLS
    u8 encrypting; /* both ends have agreed to encrypt what follows: set by parsers */
    u8 hidden;     /* WAITING or GIVEN_UP */
    u16 unused;
    u64 tls;       /* key of the connection whose records these are; of that one: inode of the socket */
    u64 since;     /* when it began to be WAITING */
#endif
    u64 moved[2];  /* bytes by direction; whoever counts them takes them away */
    struct stream streams[2]; /* by direction */
    u64 state[STATE_WORDS];   /* the parser's */
};

/* What one system call moved, and how far it has been looked at. */
struct pass {
    u64 inode, now;
    u64 address;      /* of the inode in the kernel */
    u64 at, left;     /* the rest of the present piece: its address in user space, bytes */
    u64 rest;         /* bytes in the pieces after it */
    u64 vector;       /* address of the next struct iovec */
    u32 pieces;       /* that are left in it */
    u32 program;
    u32 direction;
    u32 back;         /* place of the program to go on with after a scan */
    u64 text, length; /* what is to be scanned */
    u64 end;          /* of the piece that it is in */
    u64 began;        /* address of the present message, as if all of it had come in this piece */
    u32 before;       /* bytes of it that have come before this piece */
    u8 head[2 * HEAD_BYTES];
    u8 scan[512];
    u64 words[12];    /* of a scan */
    u32 runs;         /* how often a program has called itself for more messages */
    u32 cursor;       /* place in the head: in memory, where the verifier does not tell apart all its values */
#if PARAMETER_TLS
    u32 hidden;       /* nobody can read it: all that a parser is told of it */
#endif
};
#if PARAMETER_TLS
#define HIDDEN(pass) ((pass)->hidden)
#else
#define HIDDEN(pass) 0
#endif

BPF_TABLE("lru_hash", u64, struct conn, conns, CONNECTIONS);
#ifdef IN_UPROBE
BPF_TASK_STORAGE(own_passes, struct pass); /* an uprobe's program can be preempted by another thread's */
#else
BPF_PERCPU_ARRAY(passes, struct pass, 1);
#endif
BPF_PERCPU_ARRAY(blanks, struct conn, 1); /* never written to */
BPF_ARRAY(switches, u32, 32);
BPF_PROG_ARRAY(parsers, 64);
BPF_PERCPU_ARRAY(calls, u64, 2); /* by direction: system calls on sockets that were looked at */
BPF_PERCPU_ARRAY(seen, u64, 1);  /* connections that were put into conns */
BPF_PERCPU_ARRAY(tls_calls, u64, 2); /* by direction: calls of libssl that moved plain text */

struct exited {
    u64 common;
    s64 number;
    s64 result;
};

#if defined(bpf_target_x86)
#define ARGUMENT_0 112
#define ARGUMENT_1 104
#define ARGUMENT_2 96
#define ARGUMENT_3 56
#elif defined(bpf_target_arm64)
#define ARGUMENT_0 272
#define ARGUMENT_1 8
#define ARGUMENT_2 16
#define ARGUMENT_3 24
#endif

#define TYPE_BITS 0170000
#define SOCKET 0140000
#define PEEK 2
#define CONNECTION_RESET -104
#define BROKEN_PIPE -32

/* For the loader: are the offsets right? */
int selftest(u64 *arguments)
{
    u32 number = 0;
    u64 inode = inode_of((void *)bpf_get_current_task_btf(), arguments[0]);
    bpf_probe_read_kernel(&number, sizeof(number), (void *)(inode + INODE_NUMBER));
    return number;
}

/* The address of the socket's inode; 0 for what is no socket. */
static __always_inline u64 socket_of(void *task, u64 descriptor)
{
    u64 inode = inode_of(task, descriptor);
    u16 mode = 0;
    if (!inode)
        return 0;
    bpf_probe_read_kernel(&mode, sizeof(mode), (void *)(inode + INODE_MODE));
    return (mode & TYPE_BITS) == SOCKET ? inode : 0;
}

static __always_inline struct pass *pass_here(void)
{
#ifdef IN_UPROBE
    return own_passes.task_storage_get((void *)bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
#else
    int zero = 0;
    return passes.lookup(&zero);
#endif
}

static __always_inline int is_on(u32 member)
{
    u32 *on = switches.lookup(&member);
    return on && *on;
}

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
        __builtin_memcpy(pass->head, stream->head, HEAD_BYTES);
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
    __builtin_memcpy(stream->head, pass->head, HEAD_BYTES);
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

/* ------------------------------------------------------------------ the system calls */

#if PARAMETER_TLS
/* ------------------------------------------------------------------ TLS */

/* libssl's functions bring the plain text. The records on the socket are the same bytes once more, and are left alone: a
 * socket is known to carry a connection of libssl once the thread that is in one of its functions, or comes out of one,
 * has moved a record. */

#define RECORDS 0x14 /* the least of the four kinds */
#define LAST_OF_RECORDS 0x17
#define HANDSHAKE 0x16
#define PATIENCE_NS 5000000000ULL
#define ASK_AGAIN_NS 500000000ULL

struct tls_thread {
    u64 key;    /* of the connection that it was in last, as long as no socket is known to carry it */
    u64 buffer; /* of the call that it is in */
    u64 bytes;  /* where the call puts their number; 0: it returns it */
    u64 inside; /* the call's connection */
};

BPF_TASK_STORAGE(tls_threads, struct tls_thread);

#ifndef IN_UPROBE
BPF_TABLE("lru_hash", u32, u64, tls_asked, 1024); /* tgid → when it was last in `tls_wanted` */
BPF_RINGBUF_OUTPUT(tls_wanted, 1);                /* u32 tgid: it encrypts, and nobody knows with what */

static __always_inline void want(u64 now)
{
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    u64 *last = tls_asked.lookup(&tgid);
    if (last && now - *last < ASK_AGAIN_NS)
        return;
    tls_asked.update(&tgid, &now);
    tls_wanted.ringbuf_output(&tgid, sizeof(tgid), 0);
}

/* The kind of the TLS record that begins here; 0 where none does. */
static __always_inline u32 record_at(struct pass *pass)
{
    u8 first[3] = {};
    if (pass->left < sizeof(first) || bpf_probe_read_user(first, sizeof(first), (void *)pass->at))
        return 0;
    return first[0] >= RECORDS && first[0] <= LAST_OF_RECORDS && first[1] == 3 && first[2] <= 4 ? first[0] : 0;
}

/* True when it is known from now on whose records the socket carries. */
static __always_inline int joined(struct pass *pass, struct conn *conn)
{
    struct tls_thread *thread = tls_threads.task_storage_get((void *)bpf_get_current_task_btf(), 0, 0);
    if (!thread)
        return 0;
    u64 key = thread->inside;
    if (!key && pass->direction == SENT)
        key = thread->key;
    if (!key)
        return 0;
    struct conn *plain = conns.lookup(&key);
    if (!plain || conn->encrypting || plain->ended == CLOSED || (plain->tls && plain->tls != pass->inode)) {
        conns.update(&key, conn); /* it goes on with what was agreed in the clear */
        plain = conns.lookup(&key);
        if (!plain)
            return 0;
        plain->encrypting = 0;
        plain->hidden = 0;
    }
    plain->tls = pass->inode;
    plain->address = pass->address;
    conn->tls = key;
    conn->hidden = 0;
    thread->key = 0;
    return 1;
}

/* The connection that the call is of: behind a socket that carries TLS the one of libssl. 0 where nothing is to be done. */
static __always_inline struct conn *behind_tls(struct pass *pass, struct conn *conn, s64 result)
{
    if (conn->tls) {
        if (result > 0)
            return 0;
        pass->inode = conn->tls;
        return conns.lookup(&pass->inode);
    }
    int may_be = conn->encrypting || conn->hidden || conn->unreadable || !conn->parser;
    u32 kind = result > 0 && may_be ? record_at(pass) : 0;
    if (kind && joined(pass, conn))
        return 0;
    if (conn->hidden == GIVEN_UP || conn->unreadable)
        return conn;
    if (!conn->hidden) {
        if (kind != HANDSHAKE)
            return conn;
        conn->hidden = WAITING;
        conn->since = bpf_ktime_get_ns();
        if (!conn->parser)
            conn->side = pass->direction == SENT ? CLIENT : SERVER;
        want(conn->since);
    }
    if (bpf_ktime_get_ns() - conn->since < PATIENCE_NS)
        return 0;
    conn->hidden = GIVEN_UP;
    pass->hidden = 1;
    return conn;
}
#endif
#endif

static __always_inline int look(void *at, struct pass *pass, s64 result)
{
    struct conn *conn = conns.lookup(&pass->inode);
#ifdef IN_UPROBE
    if (conn && conn->ended == CLOSED) { /* another connection had this address */
        conns.delete(&pass->inode);
        conn = 0;
    }
#endif
    if (!conn) {
        int zero = 0;
        struct conn *blank = blanks.lookup(&zero);
        if (!result || !blank)
            return 0;
        conns.insert(&pass->inode, blank); /* not over what another CPU has begun */
#ifndef IN_UPROBE
        u64 *count = seen.lookup(&zero);
        if (count)
            (*count)++;
#endif
        conn = conns.lookup(&pass->inode);
        if (!conn)
            return 0;
        conn->address = pass->address;
    }
    conn->program = pass->program;
#if PARAMETER_TLS && !defined(IN_UPROBE)
    conn = behind_tls(pass, conn, result);
    if (!conn)
        return 0;
#endif
    u32 parser = conn->parser;
    if (conn->unreadable)
        return 0;
    if (parser) {
        conn->moved[pass->direction & 1] += pass->left + pass->rest;
        if (result <= 0) {
            if (conn->ended)
                return 0;
            conn->ended = BROKEN;
        }
    } else {
        if (result <= 0)
            return 0;
        if (conn->misses >= MOST_MISSES && (++conn->misses % FEW_MISSES))
            return 0;
        if (conn->misses < MOST_MISSES)
            conn->misses++;
    }
    pass->now = bpf_ktime_get_ns();
    parsers.call(at, place_of(conn, pass));
    return 0;
}

/* Nobody holds the connection any more. */
static __always_inline int end(void *at, struct pass *pass, struct conn *conn, u64 key)
{
#if PARAMETER_TLS
    u32 hidden = conn->hidden == WAITING;
    if (hidden)
        conn->hidden = GIVEN_UP;
#else
    u32 hidden = 0;
#endif
    if ((!conn->parser && !hidden) || conn->unreadable) {
        conns.delete(&key);
        return 0;
    }
    conn->ended = CLOSED;
    __builtin_memset(pass, 0, offsetof(struct pass, head));
    pass->inode = key;
    pass->program = conn->program;
    pass->now = bpf_ktime_get_ns();
    pass->runs = 0;
#if PARAMETER_TLS
    pass->hidden = hidden;
#endif
    parsers.call(at, conn->parser);
    return 0;
}

#ifndef IN_UPROBE
/* The pass for a call that moved bytes of a named program over a socket; 0 for every other. */
static __always_inline struct pass *begin(struct exited *at, u32 direction, void **registers)
{
    s64 result = at->result;
    if (result < 0 && result != CONNECTION_RESET && result != BROKEN_PIPE)
        return 0;
    u32 program = program_of_current();
    if (program == PROGRAM_OTHER)
        return 0;
    void *task = (void *)bpf_get_current_task_btf();
    *registers = (void *)bpf_task_pt_regs(task);
    u64 address = socket_of(task, MEMBER("u64", *registers, ARGUMENT_0));
    if (!address)
        return 0;
    struct pass *pass = pass_here();
    if (!pass)
        return 0;
    pass->address = address;
    pass->inode = pointer_at(address + INODE_NUMBER);
    pass->program = program;
    pass->direction = direction;
    pass->runs = 0;
#if PARAMETER_TLS
    pass->hidden = 0;
#endif
    pass->pieces = 0;
    pass->rest = 0;
    pass->left = result > 0 ? result : 0;
    u64 *count = calls.lookup(&direction);
    if (count)
        (*count)++;
    return pass;
}

static __always_inline int plain(struct exited *at, u32 direction)
{
    void *registers;
    struct pass *pass = begin(at, direction, &registers);
    if (!pass)
        return 0;
    pass->at = MEMBER("u64", registers, ARGUMENT_1);
    return look(at, pass, at->result);
}

static __always_inline int vectored(struct exited *at, u32 direction, int message)
{
    void *registers;
    struct pass *pass = begin(at, direction, &registers);
    if (!pass)
        return 0;
    u64 address = MEMBER("u64", registers, ARGUMENT_1), pieces = MEMBER("u64", registers, ARGUMENT_2);
    if (message) {
        struct {
            u64 vector, pieces;
        } in_header = {};
        if (direction == RECEIVED && pieces & PEEK) /* the flags, here */
            return 0;
        bpf_probe_read_user(&in_header, sizeof(in_header), (void *)(address + 16));
        address = in_header.vector;
        pieces = in_header.pieces;
    }
    pass->vector = address;
    pass->pieces = pieces < 1024 ? pieces : 1024;
    pass->rest = pass->left;
    pass->left = 0;
    for (u32 n = 0; n < FIRST_PIECES && !pass->left; n++) /* the first ones may be empty: RabbitMQ's are */
        if (!next_piece(pass))
            break;
    return look(at, pass, at->result);
}

int on_read(struct exited *at) { return plain(at, RECEIVED); }
int on_write(struct exited *at) { return plain(at, SENT); }
int on_readv(struct exited *at) { return vectored(at, RECEIVED, 0); }
int on_writev(struct exited *at) { return vectored(at, SENT, 0); }
int on_recvmsg(struct exited *at) { return vectored(at, RECEIVED, 1); }
int on_sendmsg(struct exited *at) { return vectored(at, SENT, 1); }

int on_recvfrom(struct exited *at)
{
    void *registers;
    struct pass *pass = begin(at, RECEIVED, &registers);
    if (!pass || MEMBER("u64", registers, ARGUMENT_3) & PEEK)
        return 0;
    pass->at = MEMBER("u64", registers, ARGUMENT_1);
    return look(at, pass, at->result);
}

#if defined(SOCK_SOCKET) && defined(SOCK_SHUTDOWN) && defined(SOCKET_INODE)
#define TCP_FIN_WAIT1 4
#define TCP_CLOSE 7
#define TCP_LAST_ACK 9
#define BOTH_WAYS 3

struct state_set {
    u64 common;
    u64 sock;
    s32 before, after;
};

/* A TCP socket is closed, by whoever holds it as the last one, by the end of its process, or by the other side's reset. */
int on_state(struct state_set *at)
{
    s32 after = at->after;
    if (after != TCP_FIN_WAIT1 && after != TCP_CLOSE && after != TCP_LAST_ACK)
        return 0;
    u64 sock = at->sock, socket = pointer_at(sock + SOCK_SOCKET), inode = 0;
    u8 shutdown = 0;
    bpf_probe_read_kernel(&shutdown, sizeof(shutdown), (void *)(sock + SOCK_SHUTDOWN));
    if (!socket || (after != TCP_CLOSE && shutdown != BOTH_WAYS))
        return 0;
    bpf_probe_read_kernel(&inode, sizeof(inode), (void *)(socket + SOCKET_INODE + INODE_NUMBER));
    struct pass *pass = pass_here();
    struct conn *conn = conns.lookup(&inode);
    if (!conn || !pass)
        return 0;
#if PARAMETER_TLS
    if (conn->tls) {
        u64 key = conn->tls;
        conns.delete(&inode);
        inode = key;
        conn = conns.lookup(&inode);
        if (!conn)
            return 0;
    }
#endif
    return end(at, pass, conn, inode);
}
#else
int on_state(void *at) { return 0; }
#endif
#endif /* IN_UPROBE */

#if PARAMETER_TLS && defined(IN_UPROBE)
/* Never an inode's number: those have 32 bits. */
static __always_inline u64 key_of(u64 ssl)
{
    u64 tgid = bpf_get_current_pid_tgid() >> 32;
    return (ssl * 0x9e3779b97f4a7c15ULL ^ tgid * 0xc2b2ae3d27d4eb4fULL) | 1ULL << 63;
}

static __always_inline struct tls_thread *enter(struct pt_regs *at)
{
    if (program_of_current() == PROGRAM_OTHER)
        return 0;
    struct tls_thread *thread = tls_threads.task_storage_get((void *)bpf_get_current_task_btf(), 0,
                                                            BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (!thread) {
        lose(LOST_MEMORY);
        return 0;
    }
    u64 key = key_of(PT_REGS_PARM1(at));
    struct conn *conn = conns.lookup(&key);
    thread->key = conn && conn->tls && conn->ended != CLOSED ? 0 : key;
    thread->inside = 0;
    return thread;
}

static __always_inline int moves(struct pt_regs *at, u64 bytes)
{
    struct tls_thread *thread = enter(at);
    if (!thread)
        return 0;
    thread->inside = key_of(PT_REGS_PARM1(at));
    thread->buffer = PT_REGS_PARM2(at);
    thread->bytes = bytes;
    return 0;
}

static __always_inline int moved(struct pt_regs *at, u32 direction)
{
    struct tls_thread *thread = tls_threads.task_storage_get((void *)bpf_get_current_task_btf(), 0, 0);
    if (!thread || !thread->inside)
        return 0;
    u64 key = thread->inside, bytes = 0;
    s32 result = PT_REGS_RC(at);
    thread->inside = 0;
    if (result <= 0)
        return 0;
    if (!thread->bytes)
        bytes = result;
    else if (bpf_probe_read_user(&bytes, sizeof(bytes), (void *)thread->bytes))
        lose(LOST_MEMORY);
    struct pass *pass = bytes ? pass_here() : 0;
    u32 program = program_of_current();
    if (!pass || program == PROGRAM_OTHER)
        return 0;
    __builtin_memset(pass, 0, offsetof(struct pass, head));
    pass->inode = key;
    pass->program = program;
    pass->direction = direction;
    pass->runs = 0;
    pass->hidden = 0;
    pass->at = thread->buffer;
    pass->left = bytes;
    u64 *count = tls_calls.lookup(&direction);
    if (count)
        (*count)++;
    return look(at, pass, bytes);
}

int on_ssl_moves(struct pt_regs *at) { return moves(at, 0); } /* SSL_read and SSL_write begin */
int on_ssl_moves_ex(struct pt_regs *at) { return moves(at, PT_REGS_PARM4(at)); }
int on_ssl_read(struct pt_regs *at) { return moved(at, RECEIVED); }
int on_ssl_wrote(struct pt_regs *at) { return moved(at, SENT); }

/* It moves records, but no plain text. */
int on_ssl_handshake(struct pt_regs *at)
{
    enter(at);
    return 0;
}

int on_ssl_free(struct pt_regs *at)
{
    u64 key = key_of(PT_REGS_PARM1(at));
    struct conn *conn = program_of_current() == PROGRAM_OTHER ? 0 : conns.lookup(&key);
    struct pass *pass = conn ? pass_here() : 0;
    return pass ? end(at, pass, conn, key) : 0;
}
#endif

/* ------------------------------------------------------------------ recognising */

/* Place 0 is where what has no parser goes. A recogniser that does not know the bytes calls the next one:
 *     if (HAS_NEXT(CALL_MINE))
 *         parsers.call(at, CALL_MINE + 1);
 */
#define HAS_NEXT(place) ((place) + 1 < RECOGNISERS)
