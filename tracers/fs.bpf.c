/* Latency and bytes of file system calls, by program, file system and operation.
 *
 * As in syscalls.bpf.c the beginning of a call is kept in the task, and freed with it. A call on a descriptor is looked
 * at when it begins: what is neither a regular file nor a directory (sockets, pipes, devices, event descriptors) is let
 * go before the clock is read. An open is looked at when it ends, by the descriptor that it gives.
 */

#define NAME_BYTES 16

enum { READ, WRITE, SENDFILE, COPY, OPEN, FSYNC, STAT, READDIR, RENAME, UNLINK, MKDIR, LINK, TRUNCATE };

struct what {
    u32 program;
    u32 operation;
    char fstype[NAME_BYTES];
};
struct call {
    u64 began; /* 0: in no call that counts */
    u64 type;  /* the file_system_type that what.fstype is the name of; 0 for none */
    struct what what;
};
struct transfer {
    u64 bytes;
    u64 sum;
    u64 counts[TRANSFERS_SLOTS];
};
struct act {
    u64 sum;
    u64 counts[ACTS_SLOTS];
};

BPF_TASK_STORAGE(running, struct call);
BPF_TABLE("percpu_hash", struct what, struct transfer, transfers, TRANSFERS_ENTRIES);
BPF_TABLE("percpu_hash", struct what, struct act, acts, ACTS_ENTRIES);
BPF_PERCPU_ARRAY(empty, struct transfer, 1); /* too large for the stack */

struct entered {
    u64 common;
    s64 number;
    u64 arguments[6];
};
struct exited {
    u64 common;
    s64 number;
    s64 result;
};

#define TYPE_BITS 0170000
#define DIRECTORY 0040000
#define REGULAR 0100000
#define AT_EMPTY_PATH 0x1000

/* For the loader: are the offsets right? */
int selftest(u64 *arguments)
{
    u32 number = 0;
    bpf_probe_read_kernel(&number, sizeof(number), (void *)(inode_of((void *)bpf_get_current_task_btf(), arguments[0]) + INODE_NUMBER));
    return number;
}

/* Writes the name of the descriptor's file system. False for what is no file of one. A thread mostly stays in one
 * file system: its last type's name is not read again. */
static __always_inline int name_of(u64 descriptor, struct call *call)
{
    u64 inode = inode_of((void *)bpf_get_current_task_btf(), descriptor);
    u16 mode = 0;
    if (!inode)
        return 0;
    bpf_probe_read_kernel(&mode, sizeof(mode), (void *)(inode + INODE_MODE));
    if ((mode & TYPE_BITS) != REGULAR && (mode & TYPE_BITS) != DIRECTORY)
        return 0;
    u64 type = pointer_at(pointer_at(inode + INODE_SUPER) + SUPER_TYPE);
    if (type == call->type)
        return 1;
    call->type = type;
    __builtin_memset(call->what.fstype, 0, NAME_BYTES);
    bpf_probe_read_kernel_str(call->what.fstype, NAME_BYTES, (void *)pointer_at(type + TYPE_NAME));
    return 1;
}

static __always_inline struct call *call_of(u32 program, u32 operation)
{
    struct call *call = running.task_storage_get((void *)bpf_get_current_task_btf(), 0,
                                                 BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (!call) {
        lose(LOST_BUSY);
        return 0;
    }
    call->what.program = program;
    call->what.operation = operation;
    return call;
}

static __always_inline int begin_at(u64 descriptor, u32 operation)
{
    u32 program = program_of_current();
    if (program == PROGRAM_OTHER)
        return 0;
    struct call *call = call_of(program, operation);
    if (call && name_of(descriptor, call))
        call->began = bpf_ktime_get_ns();
    return 0;
}

/* A path does not say, at a price that every call can pay, in which file system it ends. */
static __always_inline int begin(u32 operation)
{
    u32 program = program_of_current();
    if (program == PROGRAM_OTHER)
        return 0;
    struct call *call = call_of(program, operation);
    if (!call)
        return 0;
    call->type = 0;
    __builtin_memset(call->what.fstype, 0, NAME_BYTES);
    __builtin_memcpy(call->what.fstype, "other", 5);
    call->began = bpf_ktime_get_ns();
    return 0;
}

int on_read(struct entered *at) { return begin_at(at->arguments[0], READ); }
int on_write(struct entered *at) { return begin_at(at->arguments[0], WRITE); }
int on_sendfile(struct entered *at) { return begin_at(at->arguments[1], SENDFILE); }
int on_copy(struct entered *at) { return begin_at(at->arguments[2], COPY); }
int on_fsync(struct entered *at) { return begin_at(at->arguments[0], FSYNC); }
int on_fstat(struct entered *at) { return begin_at(at->arguments[0], STAT); }
int on_readdir(struct entered *at) { return begin_at(at->arguments[0], READDIR); }
int on_ftruncate(struct entered *at) { return begin_at(at->arguments[0], TRUNCATE); }

int on_open(struct entered *at) { return begin(OPEN); }
int on_stat(struct entered *at) { return begin(STAT); }
int on_rename(struct entered *at) { return begin(RENAME); }
int on_unlink(struct entered *at) { return begin(UNLINK); }
int on_mkdir(struct entered *at) { return begin(MKDIR); }
int on_link(struct entered *at) { return begin(LINK); }
int on_truncate(struct entered *at) { return begin(TRUNCATE); }

/* What the C library's fstat() is: a stat with a descriptor and an empty path. */
int on_newfstatat(struct entered *at)
{
    return at->arguments[3] & AT_EMPTY_PATH ? begin_at(at->arguments[0], STAT) : begin(STAT);
}
int on_statx(struct entered *at)
{
    return at->arguments[2] & AT_EMPTY_PATH ? begin_at(at->arguments[0], STAT) : begin(STAT);
}

static __always_inline void count_transfer(struct what *what, u64 spent, s64 bytes)
{
    struct transfer *found = transfers.lookup(what);
    if (!found) {
        int zero = 0;
        struct transfer *nothing = empty.lookup(&zero);
        if (nothing)
            transfers.insert(what, nothing); /* another CPU may have been faster */
        found = transfers.lookup(what);
        if (!found) {
            lose(LOST_FULL);
            return;
        }
    }
    if (bytes > 0)
        found->bytes += bytes;
    observe(&found->sum, found->counts, spent, TRANSFERS_FIRST, TRANSFERS_SLOTS);
}

static __always_inline void count_act(struct what *what, u64 spent)
{
    struct act *found = acts.lookup(what);
    if (!found) {
        int zero = 0;
        struct act *nothing = (struct act *)empty.lookup(&zero);
        if (nothing)
            acts.insert(what, nothing);
        found = acts.lookup(what);
        if (!found) {
            lose(LOST_FULL);
            return;
        }
    }
    observe(&found->sum, found->counts, spent, ACTS_FIRST, ACTS_SLOTS);
}

int on_exit(struct exited *at)
{
    struct call *call = running.task_storage_get((void *)bpf_get_current_task_btf(), 0, 0);
    if (!call || !call->began)
        return 0;
    u64 spent = bpf_ktime_get_ns() - call->began;
    call->began = 0;
    if (call->what.operation == OPEN && at->result >= 0 && !name_of(at->result, call))
        return 0;
    struct what what = call->what; /* on the stack: a map takes no key from task storage */
    if (what.operation < OPEN)
        count_transfer(&what, spent, at->result);
    else
        count_act(&what, spent);
    return 0;
}
