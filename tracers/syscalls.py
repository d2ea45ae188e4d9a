"""How long chosen system calls take, and how they fail, by program: what a service waits for.

What cannot be seen without it: that a service is slow because it waits for a lock (futex), a disk (fsync), a child
(wait4) or another host (connect), and which errors it meets and hides. Read and write are with the tracer `fs`.

A call counts when it returns, for the program that made it. exit and exit_group never return; what is killed in its
call returns broken off (EINTR or ERESTART) and then dies. An execve that succeeds returns to the new image and counts
for the old program. fork, vfork and clone return twice and count once, in the parent. After SIGSTOP and SIGCONT some
calls go on as a restart_syscall. What io_uring does is no system call, and calls of 32-bit programs are not seen.
"""

from scalpels_exporter.declare import (
    Bpf,
    Count,
    Counter,
    Distribution,
    Field,
    Histogram,
    Needs,
    Parameter,
    Summary,
    Table,
    Tracepoint,
    Tracer,
)

# What blocks a service, and what fails it. Names that an architecture does not have (arm64 knows no poll) are left
# out by the engine, since the tracepoints are optional.
DEFAULT = (
    *("futex", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select", "pselect6"),  # wait for others
    *("nanosleep", "clock_nanosleep", "wait4", "waitid", "flock"),
    *("connect", "accept", "accept4", "bind"),  # the network
    *("fsync", "fdatasync", "openat"),  # the disk
    *("execve", "clone", "clone3", "vfork", "fork"),  # children
)

# What Linux 6.18 knows on x86-64; without those that do not return to their caller.
_NAMES = """
accept accept4 access acct add_key adjtimex alarm arch_prctl bind bpf brk cachestat capget capset chdir chmod chown
chroot clock_adjtime clock_getres clock_gettime clock_nanosleep clock_settime clone clone3 close close_range connect
copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd
eventfd2 execve execveat faccessat faccessat2 fadvise64 fallocate fanotify_init fanotify_mark fchdir fchmod fchmodat
fchmodat2 fchown fchownat fcntl fdatasync fgetxattr file_getattr file_setattr flistxattr flock fork fremovexattr
fsconfig fsetxattr fsmount fsopen fspick fstatfs fsync ftruncate futex futex_requeue futex_wait futex_waitv futex_wake
futimesat get_mempolicy get_robust_list getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups getitimer
getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit getrusage getsid
getsockname getsockopt gettid gettimeofday getuid getxattr getxattrat inotify_add_watch inotify_init inotify_init1
inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit io_uring_enter io_uring_register
io_uring_setup ioctl ioperm iopl ioprio_get ioprio_set kcmp keyctl kill landlock_add_rule landlock_create_ruleset
landlock_restrict_self lchown lgetxattr link linkat listen listmount listxattr listxattrat llistxattr lremovexattr
lseek lsetxattr lsm_get_self_attr lsm_list_modules lsm_set_self_attr madvise mbind membarrier memfd_create
memfd_secret migrate_pages mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap modify_ldt mount
mount_setattr move_mount move_pages mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink
mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstat
newfstatat newlstat newstat newuname open open_by_handle_at open_tree open_tree_attr openat openat2 pause
perf_event_open personality pidfd_getfd pidfd_open pidfd_send_signal pipe pipe2 pivot_root pkey_alloc pkey_free
pkey_mprotect poll ppoll prctl pread64 preadv preadv2 prlimit64 process_madvise process_mrelease process_vm_readv
process_vm_writev pselect6 ptrace pwrite64 pwritev pwritev2 quotactl quotactl_fd read readahead readlink readlinkat
readv reboot recvfrom recvmmsg recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2
request_key restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigsuspend
rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr
sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam
sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop sendfile64 sendmmsg sendmsg sendto
set_mempolicy set_mempolicy_home_node set_robust_list set_tid_address setdomainname setfsgid setfsuid setgid setgroups
sethostname setitimer setns setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setsockopt
settimeofday setuid setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 socket
socketpair splice statfs statmount statx swapoff swapon symlink symlinkat sync sync_file_range syncfs sysfs sysinfo
syslog tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create
timerfd_gettime timerfd_settime times tkill truncate umask umount unlink unlinkat unshare userfaultfd ustat utime
utimensat utimes vfork vhangup vmsplice wait4 waitid write writev
"""
KNOWN = tuple(_NAMES.split())

PROGRAM = Field("program", "I", "program")
SYSCALL = Field("syscall", "I", "syscall")

TRACER = Tracer(
    name="syscalls",
    help="How long chosen system calls take, and how they fail.",
    metrics=(
        Histogram(
            "scalpels_syscalls_seconds",
            "Time in a system call, from its entry to its return, failures included. A call that never returns, or "
            "was under way when the tracer started, is not counted. A clone counts in the parent alone.",
            ("program", "syscall"),
            "seconds",
            series=500,
        ),
        Counter(
            "scalpels_syscalls_errors_total",
            "System calls that failed. ERESTART: a signal broke the call off; user space sees EINTR, or the kernel "
            "begins it anew, which is then a call of its own.",
            ("program", "syscall", "errno"),
        ),
    ),
    runs=Bpf(
        probes=(
            # The exits first: a call whose beginning is noted then always finds its end.
            Tracepoint("syscalls", "sys_exit_{calls}", "on_exit", optional=True),
            Tracepoint("syscalls", "sys_enter_{calls}", "on_enter", optional=True),
        ),
        tables=(
            Table("latencies", (PROGRAM, SYSCALL), (Distribution("scalpels_syscalls_seconds"),)),
            Table(
                "failures", (PROGRAM, SYSCALL, Field("errno", "I", "errno")), (Count("scalpels_syscalls_errors_total"),)
            ),
        ),
        lost=("busy",),
    ),
    parameters=(
        Parameter(
            "calls",
            "texts",
            DEFAULT,
            "The system calls, by the kernel's names (man 2 syscalls; newfstatat, not fstatat). Each costs every "
            "process of the machine that makes it; the others cost next to nothing.",
            least=1,
            choices=KNOWN,
        ),
    ),
    # The type information, because the kernel gives no program its task without it.
    needs=Needs(capabilities=("CAP_BPF", "CAP_PERFMON"), kernel=(5, 12), files=("/sys/kernel/btf/vmlinux",)),
    overhead="0.44 µs a traced call, 0.27 µs a bystander's, 0.05 µs one that is not asked for; "
    "`syscount -L` 0.46 (benchmarks/syscalls.py).",
    default=True,
    picture="scalpels_syscalls_seconds",
    summary=Summary("scalpels_syscalls_seconds", "scalpels_syscalls_errors_total"),
)
