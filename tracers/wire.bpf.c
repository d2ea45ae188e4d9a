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
enum { TAKEN, GIVEN_BACK };
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
BPF_PERCPU_ARRAY(seen, u64, 1);  /* sockets that were put into conns */
BPF_PERCPU_ARRAY(places, u64, 2); /* of conns, those of libssl among them: TAKEN, GIVEN_BACK; read in Python */
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

static __always_inline void count_place(u32 what)
{
    u64 *count = places.lookup(&what);
    if (count)
        __sync_fetch_and_add(count, 1);
}

/* The connection is forgotten because it is over; one that loses its place to another is not given back. */
static __always_inline void give_back(u64 *key)
{
    if (!conns.delete(key))
        count_place(GIVEN_BACK);
}

static __always_inline int is_on(u32 member)
{
    u32 *on = switches.lookup(&member);
    return on && *on;
}

#include "wire_parsers.h"

/* ------------------------------------------------------------------ the system calls */

#include "wire_tls.h"

static __always_inline int look(void *at, struct pass *pass, s64 result)
{
    struct conn *conn = conns.lookup(&pass->inode);
#ifdef IN_UPROBE
    if (conn && conn->ended == CLOSED) { /* another connection had this address */
        give_back(&pass->inode);
        conn = 0;
    }
#endif
    if (!conn) {
        int zero = 0;
        struct conn *blank = blanks.lookup(&zero);
        if (!result || !blank)
            return 0;
        if (!conns.insert(&pass->inode, blank)) { /* not over what another CPU has begun */
            count_place(TAKEN);
#ifndef IN_UPROBE
            u64 *count = seen.lookup(&zero);
            if (count)
                (*count)++;
#endif
        }
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
        give_back(&key);
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
        give_back(&inode);
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

#include "wire_libssl.h"

/* ------------------------------------------------------------------ recognising */

/* Place 0 is where what has no parser goes. A recogniser that does not know the bytes calls the next one:
 *     if (HAS_NEXT(CALL_MINE))
 *         parsers.call(at, CALL_MINE + 1);
 */
#define HAS_NEXT(place) ((place) + 1 < RECOGNISERS)
