"""The bytes that named programs exchange over sockets, looked at once for all tracers of protocols: `sql`, `http` …

It runs while one of them does, and parses nothing itself: it finds out whose parser knows a connection, and hands that
every chunk of bytes. Connections are known by the inode of their socket, from before it started or not, over fork, dup
and descriptors that are passed on; TCP and Unix sockets alike.

Not seen: io_uring, recvmmsg and sendmmsg, what sendfile and splice put into a socket, and calls of 32-bit programs.
Encrypted connections are recognised by the parsers and counted as unreadable; with `tls` on, what OpenSSL's libssl
encrypts is read where programs hand it over (SSL_read, SSL_write and their _ex). A connection is unreadable then when
nobody's libssl has moved its records: it is said when it ends, or after 5 s. Unreadable stay GnuTLS, NSS, Go, Java and
Rust's rustls, a libssl that was linked into a program and stripped of its symbols (`cryptography`'s wheel), BIO_f_ssl
and kernel TLS. Where TLS is done in memory (asyncio) a socket is matched with the first record that its thread sends
after a handshake; uvloop sends later and may mistake one for another: its connections may count as unreadable besides.
"""

import os
import sys
from collections.abc import Sequence
from typing import Any

from scalpels_exporter.declare import (
    Bpf,
    Count,
    Counter,
    Field,
    Gauge,
    Kernel,
    Library,
    Needs,
    Offset,
    Parameter,
    Table,
    Tracepoint,
    Tracer,
    Uprobe,
)

# Function of the source → the system calls at whose return it runs, by the kernel's names.
CALLS = {
    "on_read": ("read",),
    "on_recvfrom": ("recvfrom",),
    "on_readv": ("readv",),
    "on_recvmsg": ("recvmsg",),
    "on_write": ("write", "sendto"),
    "on_writev": ("writev",),
    "on_sendmsg": ("sendmsg",),
}
# Function of the source → the functions of libssl where it runs, and at whose return.
SSL = {
    "on_ssl_moves": ("SSL_read", "SSL_write"),
    "on_ssl_moves_ex": ("SSL_read_ex", "SSL_write_ex"),
    "on_ssl_handshake": ("SSL_do_handshake",),
    "on_ssl_free": ("SSL_free",),
}
SSL_RETURNS = {"on_ssl_read": ("SSL_read", "SSL_read_ex"), "on_ssl_wrote": ("SSL_write", "SSL_write_ex")}

TRACER = Tracer(
    name="wire",
    help="The bytes on sockets that tracers of protocols share.",
    metrics=(
        Counter(
            "scalpels_wire_calls_total",
            "System calls of named programs that moved bytes over a socket, or found it closed.",
            ("direction",),
            series=2,
        ),
        Counter(
            "scalpels_wire_connections_total",
            "Sockets seen for the first time. 16,384 are known at a time; beyond, those unused for longest are "
            "forgotten, and recognised anew.",
        ),
        Counter(
            "scalpels_wire_forgotten_connections_total",
            "Connections whose place another one took. What they were asked and had not answered is in no time, and of "
            "the next message that begins with them nothing may be known.",
        ),
        Counter(
            "scalpels_wire_tls_calls_total",
            "Calls of libssl by named programs that moved plain text.",
            ("direction",),
            series=2,
        ),
        Gauge("scalpels_wire_tls_files", "Files with libssl's functions that are probed: libraries and programs."),
    ),
    runs=Bpf(
        probes=(
            *(Tracepoint("syscalls", f"sys_exit_{c}", f) for f, calls in CALLS.items() for c in calls),
            Tracepoint("sock", "inet_sock_set_state", "on_state", optional=True),
        ),
        tables=(
            Table(
                "calls",
                (Field("direction", "I", "choice", ("received", "sent")),),
                (Count("scalpels_wire_calls_total"),),
            ),
            Table(
                "tls_calls",
                (Field("direction", "I", "choice", ("received", "sent")),),
                (Count("scalpels_wire_tls_calls_total"),),
            ),
            Table("seen", (Field("", "I"),), (Count("scalpels_wire_connections_total"),)),
        ),
        offsets=(
            Offset("TASK_FILES", "task_struct", "files", required=True),
            Offset("FILES_FDT", "files_struct", "fdt", required=True),
            Offset("FDT_MAX", "fdtable", "max_fds", required=True),
            Offset("FDT_FD", "fdtable", "fd", required=True),
            Offset("FILE_INODE", "file", "f_inode", required=True),
            Offset("INODE_NUMBER", "inode", "i_ino", required=True),
            Offset("INODE_MODE", "inode", "i_mode", required=True),
            Offset("SOCK_SOCKET", "sock", "sk_socket"),
            Offset("SOCK_SHUTDOWN", "sock", "sk_shutdown"),
            Offset("SOCKET_INODE", "socket_alloc", "vfs_inode"),
            Offset("SOCKET_SK", "socket", "sk"),
        ),
        # Bytes that could not be read; a connection whose place was lost; more messages in a call than can be followed.
        lost=("memory", "sync", "long"),
        selftest="selftest",
        companion="Places",
        calls="parsers",
        library=Library(
            probes=(
                *(Uprobe(symbol, function) for function, symbols in SSL.items() for symbol in symbols),
                *(
                    Uprobe(symbol, function, returns=True)
                    for function, symbols in SSL_RETURNS.items()
                    for symbol in symbols
                ),
            ),
            when="tls",
            gauge="scalpels_wire_tls_files",
            wanted="tls_wanted",
        ),
    ),
    parameters=(
        Parameter(
            "tls",
            "switch",
            False,
            "Whether tracers of protocols read what programs encrypt with OpenSSL's libssl, by uprobes in the "
            "library or in a program that holds it, in containers too. While it is on, a child of the worker "
            "keeps CAP_SYS_ADMIN, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, and every process on the machine that "
            "calls the library pays.",
        ),
    ),
    needs=Needs(
        capabilities=("CAP_BPF", "CAP_PERFMON"),
        kernel=(5, 15),
        while_on={"tls": ("CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH")},
    ),
    overhead="in what the tracers say that it runs for; 0.05 µs any other system call (benchmarks/syscalls.py). "
    "With `tls`, 11 to 24 µs a call of SSL_read or SSL_write, whoever makes it (a nested guest; benchmarks/tls.py)",
    picture="scalpels_wire_calls_total",
)

LOCAL_PLACES = 128  # that a CPU keeps for itself, of a map which drops what is unused for longest


class Places:
    """Counts the connections that were forgotten: the kernel drops them and tells nobody.

    They are those that got a place, less those that gave it back, less those that have one. The last are counted only
    where there may have been too few places since the last time: it takes 15 ms where they are all taken.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._conns, self._places = kernel.maps["conns"], kernel.maps["places"]
        self._enough = self._conns.entries - LOCAL_PLACES * (os.cpu_count() or 1)
        self._taken = self._held = self._forgotten = 0

    def beat(self) -> float:
        return float("inf")

    def samples(self) -> Sequence[tuple[str, Sequence[str], Any]]:
        taken = self._count(0)
        if self._held + taken - self._taken >= self._enough:
            # In this order, so that what changes meanwhile makes the difference smaller.
            held = sum(1 for _ in self._conns.heads(0))
            self._forgotten = max(self._forgotten, taken - self._count(1) - held)
            self._taken, self._held = taken, held
        return [("scalpels_wire_forgotten_connections_total", (), self._forgotten)]

    def _count(self, place: int) -> int:
        value = self._places.get(place.to_bytes(4, sys.byteorder))
        return int.from_bytes(value or b"", sys.byteorder)
