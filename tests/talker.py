"""Says what it is told over connections of its own, from both ends, and reads it.

Started by tests with a mark in its command line. A line on stdin is one connection: `tcp` or `pair` (of Unix sockets),
then what is sent as hex, one send each, by the server where it begins with `<`. `shared QUERY ANSWER`: a pair on which
a child asks through a descriptor of its own, and the answer comes in three pieces. `tcp6` and `calls WRITE READ QUERY
ANSWER`: with these system calls. `passed QUERY ANSWER`: the asking end goes to a child over a Unix socket first.
`closing QUERY`: the server closes instead of answering. `many COUNT`: so many pairs, over which a byte goes.
`by-calls FAMILY`: over `tcp` or `pair`, `CALL,HEX` is sent and `CALL=SIZE` received by this system call, with `<` what
the server says, and at the other end. Each line is answered with `done`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def connected(family: str) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Who asks and who answers: over `tcp`, `tcp6` or a `pair` of Unix sockets."""
    if family == "pair":
        one, two = socket.socketpair()
        with one, two:
            yield one, two
        return
    host, kind = ("::1", socket.AF_INET6) if family == "tcp6" else ("127.0.0.1", socket.AF_INET)
    with (
        socket.create_server((host, 0), family=kind) as listener,
        socket.create_connection(listener.getsockname()[:2]) as one,
        listener.accept()[0] as two,
    ):
        yield one, two


def pass_on(sender: socket.socket, reader: socket.socket, data: bytes) -> None:
    """All of it has been read when this returns."""
    sender.setblocking(False)
    reader.setblocking(True)
    while data:
        with contextlib.suppress(BlockingIOError):
            sent = sender.send(data)
            data = data[sent:]
            while sent:
                sent -= len(reader.recv(65536))


def converse(one: socket.socket, two: socket.socket, pieces: list[str]) -> None:
    for piece in pieces:
        ends = (two, one) if piece[0] == "<" else (one, two)
        pass_on(*ends, bytes.fromhex(piece.lstrip("<")))


def share(query: bytes, answer: bytes) -> None:
    one, two = socket.socketpair()
    other = os.dup(one.fileno())
    child = os.fork()
    if not child:
        os.write(other, query)
        os._exit(0)
    os.waitpid(child, 0)
    os.close(other)
    two.recv(1000)
    two.sendmsg([answer[:3], answer[3:9], answer[9:]])
    one.recvmsg(1000)
    one.close()
    two.close()


WRITES = {
    "write": lambda sock, data: os.write(sock.fileno(), data),
    "writev": lambda sock, data: os.writev(sock.fileno(), [data[:1], data[1:5], b"", data[5:]]),
    "sendto": lambda sock, data: sock.send(data),
    "sendmsg": lambda sock, data: sock.sendmsg([data[:4], data[4:]]),
}
READS = {
    "read": lambda sock: os.read(sock.fileno(), 4096),
    "readv": lambda sock: os.readv(sock.fileno(), [bytearray(3), bytearray(2), bytearray(4096)]),
    "recvfrom": lambda sock: sock.recv(4096),
    "recvmsg": lambda sock: sock.recvmsg_into([bytearray(7), bytearray(4096)]),
    "peek": lambda sock: (sock.recv(4096, socket.MSG_PEEK), sock.recvmsg(9, 0, socket.MSG_PEEK), sock.recv(4096)),
}
TAKES = {  # at most so many bytes; how many it took
    "read": lambda sock, size: len(os.read(sock.fileno(), size)),
    "readv": lambda sock, size: os.readv(sock.fileno(), [bytearray(size // 3), bytearray(size - size // 3)]),
    "recvfrom": lambda sock, size: len(sock.recv(size)),
    "recvmsg": lambda sock, size: sock.recvmsg_into([bytearray(size // 2), bytearray(size - size // 2)])[0],
}


def call(write: str, read: str, query: bytes, answer: bytes) -> None:
    one, two = socket.socketpair()
    with one, two:
        for sender, reader, data in ((one, two, query), (two, one, answer)):
            WRITES[write](sender, data)
            READS[read](reader)


def speak_by_calls(one: socket.socket, two: socket.socket, words: list[str]) -> None:
    for word in words:
        sender, reader = (two, one) if word[0] == "<" else (one, two)
        name, sent, data = word.lstrip("<").partition(",")
        if sent:
            assert WRITES[name](sender, bytes.fromhex(data)) == len(data) // 2
            continue
        name, _, size = name.partition("=")
        left = int(size)
        while left:
            left -= TAKES[name](reader, left)


def hand_on(query: bytes, answer: bytes) -> None:
    one, two = socket.socketpair()
    here, there = socket.socketpair()
    child = os.fork()
    if not child:
        one.close()
        _, descriptors, _, _ = socket.recv_fds(there, 16, 1)
        os.write(descriptors[0], query)
        os._exit(0)
    socket.send_fds(here, [b"x"], [one.fileno()])
    os.waitpid(child, 0)
    two.recv(4096)
    two.sendall(answer)
    one.recv(4096)
    for sock in (one, two, here, there):
        sock.close()


print("ready", flush=True)
for line in sys.stdin:
    kind, *words = line.split()
    if kind == "shared":
        share(bytes.fromhex(words[0]), bytes.fromhex(words[1]))
    elif kind == "closing":
        one, two = socket.socketpair()
        one.sendall(bytes.fromhex(words[0]))
        two.recv(4096)
        two.close()
        one.recv(4096)
        one.close()
    elif kind == "many":
        for _ in range(int(words[0])):
            with connected("pair") as (one, two):
                one.sendall(b"x")
                two.recv(1)
    elif kind == "passed":
        hand_on(bytes.fromhex(words[0]), bytes.fromhex(words[1]))
    elif kind == "calls":
        call(words[0], words[1], bytes.fromhex(words[2]), bytes.fromhex(words[3]))
    elif kind == "by-calls":
        with connected(words[0]) as (one, two):
            speak_by_calls(one, two, words[1:])
    else:
        with connected(kind) as (one, two):
            converse(one, two, words)
    print("done", flush=True)
