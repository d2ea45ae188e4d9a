/* Tells sockets that carry TLS, and whose they are, while the switch `tls` is on. */

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
        if (!conns.update(&key, conn) && !plain) /* it goes on with what was agreed in the clear */
            count_place(TAKEN);
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
