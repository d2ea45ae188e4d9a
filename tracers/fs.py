"""What programs do with files: how long reads, writes, opens, syncs and the rest take, and how much they move.

What cannot be seen without it: which service a slow disk or network file system hurts, and in which operation. The
disk's own time is `blockio`'s; here is what the program waited, page cache included.

Regular files and directories count, of every file system (proc and tmpfs too). Sockets, pipes, devices and event
descriptors do not. A call by descriptor has the type of its file system; so has an open that succeeds. A call by path
(stat, rename, unlink, mkdir, link, truncate) and an open that fails are of the type `other`. Not seen: reads and
writes of a mapped file (mmap), io_uring, Linux AIO (io_submit) and splice, and calls of 32-bit programs.
"""

from scalpels_exporter.declare import (
    Bpf,
    Count,
    Counter,
    Distribution,
    Field,
    Histogram,
    Needs,
    Offset,
    Summary,
    Table,
    Tracepoint,
    Tracer,
)

# Function of the source → the calls that it is for, by the kernel's names.
CALLS = {
    "on_read": ("read", "pread64", "readv", "preadv", "preadv2"),
    "on_write": ("write", "pwrite64", "writev", "pwritev", "pwritev2"),
    "on_sendfile": ("sendfile64",),
    "on_copy": ("copy_file_range",),
    "on_open": ("openat", "open", "openat2", "creat"),
    "on_fsync": ("fsync", "fdatasync", "sync_file_range", "syncfs"),
    "on_fstat": ("newfstat",),
    "on_newfstatat": ("newfstatat",),
    "on_statx": ("statx",),
    "on_stat": ("newstat", "newlstat", "access", "faccessat", "faccessat2", "readlink", "readlinkat"),
    "on_readdir": ("getdents64", "getdents"),
    "on_rename": ("rename", "renameat", "renameat2"),
    "on_unlink": ("unlink", "unlinkat", "rmdir"),
    "on_mkdir": ("mkdir", "mkdirat"),
    "on_link": ("link", "linkat", "symlink", "symlinkat"),
    "on_truncate": ("truncate",),
    "on_ftruncate": ("ftruncate", "fallocate"),
}
OPERATIONS = (
    *("read", "write", "sendfile", "copy", "open", "fsync", "stat", "readdir", "rename", "unlink", "mkdir", "link"),
    "truncate",
)

KEY = (
    Field("program", "I", "program"),
    Field("operation", "I", "choice", OPERATIONS),
    Field("fstype", "16s", "text"),
)
LABELS = ("program", "fstype", "operation")

TRACER = Tracer(
    name="fs",
    help="How long file system calls take, and the bytes that they move.",
    metrics=(
        Histogram(
            "scalpels_fs_seconds",
            "Time in a call on a regular file or directory, failures included. The type of the file system is `other` "
            "for calls by path and for opens that fail. Mapped files, io_uring, io_submit and splice are not seen.",
            LABELS,
            "seconds",
            series=600,
        ),
        Counter(
            "scalpels_fs_bytes_total",
            "Bytes read, written, sent by sendfile (type: where they came from) and copied by copy_file_range (type: "
            "where they went).",
            LABELS,
            "bytes",
            series=600,
        ),
    ),
    runs=Bpf(
        probes=(
            # The exits first: a call whose beginning is noted then always finds its end. Which of the calls exist
            # differs from one architecture to the other.
            *(Tracepoint("syscalls", f"sys_exit_{c}", "on_exit", True) for calls in CALLS.values() for c in calls),
            *(Tracepoint("syscalls", f"sys_enter_{c}", f, True) for f, calls in CALLS.items() for c in calls),
        ),
        tables=(
            Table("transfers", KEY, (Count("scalpels_fs_bytes_total"), Distribution("scalpels_fs_seconds"))),
            Table("acts", KEY, (Distribution("scalpels_fs_seconds"),)),
        ),
        offsets=(
            Offset("TASK_FILES", "task_struct", "files", required=True),
            Offset("FILES_FDT", "files_struct", "fdt", required=True),
            Offset("FDT_MAX", "fdtable", "max_fds", required=True),
            Offset("FDT_FD", "fdtable", "fd", required=True),
            Offset("FILE_INODE", "file", "f_inode", required=True),
            Offset("INODE_NUMBER", "inode", "i_ino", required=True),
            Offset("INODE_MODE", "inode", "i_mode", required=True),
            Offset("INODE_SUPER", "inode", "i_sb", required=True),
            Offset("SUPER_TYPE", "super_block", "s_type", required=True),
            Offset("TYPE_NAME", "file_system_type", "name", required=True),
        ),
        lost=("busy",),
        selftest="selftest",
    ),
    needs=Needs(capabilities=("CAP_BPF", "CAP_PERFMON"), kernel=(5, 12)),
    overhead="0.62 µs a traced read, 0.28 µs a bystander's, 0.05 µs a call that is none of files; "
    "`syscount -L` 0.46 (benchmarks/syscalls.py).",
    default=True,
    picture="scalpels_fs_seconds",
    summary=Summary("scalpels_fs_seconds"),
)
