/* Latency and errors of chosen system calls, by program.
 *
 * The time at which a call began is kept in the task itself: nothing to size, nothing to clean up. The kernel frees
 * it with the thread, so a call that never returns leaves nothing behind. The program is the one at the beginning of
 * the call: an execve counts for the program that did it. A thread that was born in a call (fork and clone return
 * twice) or was in one when the tracer started has no beginning, and is not counted.
 */

struct call {
    u64 began; /* 0: in no call that is asked for */
    u32 program;
};
struct of_call {
    u32 program;
    u32 number;
};
struct of_failure {
    u32 program;
    u32 number;
    u32 error;
};
struct latency {
    u64 sum;
    u64 counts[LATENCIES_SLOTS];
};

BPF_TASK_STORAGE(running, struct call);
BPF_TABLE("percpu_hash", struct of_call, struct latency, latencies, LATENCIES_ENTRIES);
BPF_TABLE("percpu_hash", struct of_failure, u64, failures, FAILURES_ENTRIES);
BPF_PERCPU_ARRAY(empty, struct latency, 1); /* too large for the stack */

struct entered {
    u64 common;
    s32 number;
};
struct exited {
    u64 common;
    s32 number;
    s64 result;
};

/* Numbers that user space never sees: a signal has broken the call off, and the kernel now either begins it anew
 * (a call of its own here) or has it return EINTR. All of them are ERESTART here. */
#define FIRST_RESTART 512
#define LAST_RESTART 516
#define ERRNO_ERESTART 85
#define GREATEST_ERRNO 4095

int on_enter(struct entered *at)
{
    u32 program = program_of_current();
    if (program == PROGRAM_OTHER)
        return 0;
    struct call *call = running.task_storage_get((void *)bpf_get_current_task_btf(), 0,
                                                 BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (!call) {
        lose(LOST_BUSY);
        return 0;
    }
    call->program = program;
    call->began = bpf_ktime_get_ns();
    return 0;
}

static __always_inline void count_failure(u32 program, u32 number, u64 error)
{
    struct of_failure key = {program, number, error};
    u64 none = 0;
    if (error >= FIRST_RESTART && error <= LAST_RESTART)
        key.error = ERRNO_ERESTART;
    add(failures.lookup_or_try_init(&key, &none), 1, LOST_FULL);
}

static __always_inline struct latency *first_of(struct of_call *key)
{
    int zero = 0;
    struct latency *nothing = empty.lookup(&zero);
    if (!nothing)
        return 0;
    latencies.insert(key, nothing); /* another CPU may have been faster */
    return latencies.lookup(key);
}

int on_exit(struct exited *at)
{
    struct call *call = running.task_storage_get((void *)bpf_get_current_task_btf(), 0, 0);
    if (!call || !call->began)
        return 0;
    u64 spent = bpf_ktime_get_ns() - call->began;
    call->began = 0;
    struct of_call key = {call->program, at->number};
    if (at->result < 0 && at->result >= -GREATEST_ERRNO)
        count_failure(key.program, key.number, -at->result);
    struct latency *latency = latencies.lookup(&key);
    if (!latency)
        latency = first_of(&key);
    if (!latency) {
        lose(LOST_FULL);
        return 0;
    }
    observe(&latency->sum, latency->counts, spent, LATENCIES_FIRST, LATENCIES_SLOTS);
    return 0;
}
