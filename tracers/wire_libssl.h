/* What runs in libssl's functions: their plain text goes the way of a system call's bytes. */

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
