/* What every kernel program of scalpels-exporter may use. Put in front of the source by the loader, which also
 * defines, from the declaration: <MAP>_ENTRIES, <MAP>_FIRST and <MAP>_SLOTS for every bound map, LOST_<REASON>,
 * PARAMETER_<NAME> and the offsets.
 *
 * BCC rewrites map.lookup(…) inside functions only: map methods do not work in macros.
 */

#define PROGRAM_OTHER 0

/* tgid of the initial pid namespace → program. Filled by the tracer `programs`, shared by all. A process that no
 * rule names is not in it, or is OTHER for a moment. */
BPF_TABLE("hash", u32, u32, programs, PROGRAMS_ENTRIES);
BPF_PERCPU_ARRAY(lost, u64, LOST_REASONS);

/* Look this up before anything else: PROGRAM_OTHER for a process that nobody asked about. */
static __always_inline u32 program_of_current(void)
{
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    u32 *program = programs.lookup(&tgid);
    return program ? *program : PROGRAM_OTHER;
}

static __always_inline void lose(u32 reason)
{
    u64 *count = lost.lookup(&reason);
    if (count)
        (*count)++;
}

/* The sub-bucket of `value`: 0 at or below the lowest bound … slots-1 above the highest. bpf/slots.py has the
 * reasons and the twin that tests compare it with. */
static __always_inline u32 slot_of(u64 value, int lift, u64 a, u64 b, u64 c, u64 d, int first, u32 slots)
{
    s64 index = 63;
    if (!value)
        return 0;
    /* Without a branch, so that the verifier has one way through it and not one for each octave. 1 less than 0 has
     * bit 63 set, and so has a limit less a greater mantissa: both are at least 2**63. */
    u64 shift = ((value >> 32) - 1) >> 63 << 5;
    value <<= shift, index -= shift;
    shift = ((value >> 48) - 1) >> 63 << 4;
    value <<= shift, index -= shift;
    shift = ((value >> 56) - 1) >> 63 << 3;
    value <<= shift, index -= shift;
    shift = ((value >> 60) - 1) >> 63 << 2;
    value <<= shift, index -= shift;
    shift = ((value >> 62) - 1) >> 63 << 1;
    value <<= shift, index -= shift;
    shift = ((value >> 63) - 1) >> 63;
    value <<= shift, index -= shift;
    index = 4 * index + lift - first + ((a - value) >> 63) + ((b - value) >> 63) + ((c - value) >> 63) +
            ((d - value) >> 63);
    if (index < 0)
        index = 0;
    if (index > (s64)slots - 1)
        index = slots - 1;
    return index;
}

/* slot_of_ns(ns, LATENCY_FIRST, LATENCY_SLOTS) for a metric in seconds. */
static __always_inline u32 slot_of_ns(u64 ns, int first, u32 slots)
{
    return slot_of(ns, SECONDS_LIFT, SECONDS_A, SECONDS_B, SECONDS_C, SECONDS_D, first, slots);
}

/* The same for a metric in the unit that the kernel counts: bytes. */
static __always_inline u32 slot_of_plain(u64 value, int first, u32 slots)
{
    return slot_of(value, PLAIN_LIFT, PLAIN_A, PLAIN_B, PLAIN_C, PLAIN_D, first, slots);
}

/* What a map had for a key, found or made: `many` more; 0, where it had no room, is an event lost for `reason`.
 *     add(calls.lookup_or_try_init(&key, &none), 1, LOST_FULL); */
static __always_inline void add(u64 *count, u64 many, u32 reason)
{
    if (count)
        *count += many;
    else
        lose(reason);
}

/* One more observation in a histogram of seconds, of a per-CPU map. */
static __always_inline void observe(u64 *sum, u64 *counts, u64 ns, int first, u32 slots)
{
    u64 slot = slot_of_ns(ns, first, slots);
    asm volatile("" : "+r"(slot)); /* or the compiler drops the check, which the verifier wants */
    *sum += ns;
    if (slot < slots)
        counts[slot]++;
}

/* The same where all CPUs have one value. */
static __always_inline void observe_shared(u64 *sum, u64 *counts, u64 ns, int first, u32 slots)
{
    u64 slot = slot_of_ns(ns, first, slots);
    asm volatile("" : "+r"(slot));
    __sync_fetch_and_add(sum, ns);
    if (slot < slots)
        __sync_fetch_and_add(&counts[slot], 1);
}

/* A member of a structure whose type the verifier knows: an ordinary load. Inline, because BCC makes a helper's call of
 * what it takes for a load from the kernel. */
#define MEMBER(type, of, offset)                                                                                       \
    ({                                                                                                                 \
        u64 member;                                                                                                    \
        asm volatile("%0 = *(" type " *)(%1 + %2)" : "=r"(member) : "r"(of), "i"(offset));                             \
        member;                                                                                                        \
    })

static __always_inline u64 pointer_at(u64 address)
{
    u64 found = 0;
    bpf_probe_read_kernel(&found, sizeof(found), (void *)address);
    return found;
}

#if defined(TASK_FILES) && defined(FILES_FDT) && defined(FDT_MAX) && defined(FDT_FD) && defined(FILE_INODE)
/* The inode behind a descriptor of `task`, which is the current one; 0 where there is none. For who declares the
 * offsets. */
static __always_inline u64 inode_of(void *task, u64 descriptor)
{
    u64 table = MEMBER("u64", MEMBER("u64", task, TASK_FILES), FILES_FDT);
    if ((u32)descriptor >= MEMBER("u32", table, FDT_MAX))
        return 0;
    u64 file = pointer_at(MEMBER("u64", table, FDT_FD) + 8 * (u64)(u32)descriptor);
    return file ? pointer_at(file + FILE_INODE) : 0;
}
#endif
