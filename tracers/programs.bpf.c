/* Keeps the map `programs`: a child begins as what its parent is, an exec makes it OTHER until it has been looked at,
 * and the end of its last thread removes it. */

enum { FORK, EXEC, EXIT };

BPF_TABLE("percpu_array", u32, u64, seen, 3);
BPF_RINGBUF_OUTPUT(events, 16); /* u32 tgid: look at it */

static __always_inline void note(u32 event)
{
    u64 *count = seen.lookup(&event);
    if (count)
        (*count)++;
}

static __always_inline void ask(u32 tgid)
{
    if (events.ringbuf_output(&tgid, sizeof(tgid), 0))
        lose(LOST_RECORD);
}

int on_fork(struct tracepoint__task__task_newtask *args)
{
    u32 parent = bpf_get_current_pid_tgid() >> 32, child = args->pid;
    u32 *program, own;

    if (args->clone_flags & 0x00010000) /* CLONE_THREAD: no process of its own */
        return 0;
    note(FORK);
    program = programs.lookup(&parent);
    if (!program) {
        programs.delete(&child); /* what another process of this number may have left */
        return 0;
    }
    own = *program;
    if (programs.update(&child, &own))
        lose(LOST_FULL);
    if (own == PROGRAM_OTHER) /* the parent has just been exec'ed: nobody knows yet what it is */
        ask(child);
    return 0;
}

int on_exec(void *ctx)
{
    u32 tgid = bpf_get_current_pid_tgid() >> 32, other = PROGRAM_OTHER;

    note(EXEC);
    if (programs.update(&tgid, &other))
        lose(LOST_FULL);
    ask(tgid);
    return 0;
}

int on_exit(void *ctx)
{
    u64 id = bpf_get_current_pid_tgid();
    u32 tgid = id >> 32;
#if defined(TASK_SIGNAL) && defined(SIGNAL_LIVE)
    u64 signal = 0;
    int live = 0;

    bpf_probe_read_kernel(&signal, sizeof(signal), (void *)bpf_get_current_task() + TASK_SIGNAL);
    if (bpf_probe_read_kernel(&live, sizeof(live), (void *)signal + SIGNAL_LIVE) || live)
        return 0; /* other threads live on */
#else
    if (tgid != (u32)id)
        return 0; /* only the first thread tells; one that ends before the others takes the process out early */
#endif
    note(EXIT);
    programs.delete(&tgid);
    return 0;
}
