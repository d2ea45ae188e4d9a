"""Says what it is told over connections of its own, from both ends, and reads it.

Started by tests with a mark in its command line. A line on stdin is one connection: `tcp` or `pair` (of Unix sockets),
then what is sent as hex, one send each, by the server where it begins with `<`. `shared QUERY ANSWER`: a pair on which
a child asks through a descriptor of its own, and the answer comes in three pieces. Each line is answered with `done`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys


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


listener = socket.create_server(("127.0.0.1", 0))
print("ready", flush=True)
for line in sys.stdin:
    kind, *words = line.split()
    if kind == "shared":
        share(bytes.fromhex(words[0]), bytes.fromhex(words[1]))
    elif kind == "tcp":
        with socket.create_connection(listener.getsockname()) as one, listener.accept()[0] as two:
            converse(one, two, words)
    else:
        one, two = socket.socketpair()
        with one, two:
            converse(one, two, words)
    print("done", flush=True)
