"""An HTTP load on bare sockets. Options of its own: depth (1), split (0), endures (false), timeout (30).

    depth   so many requests go out in one send before their answers are read: gunicorn's eventlet worker,
            eventlet.wsgi, aiohttp (but for a request that closes), Apache and nginx answer them all; gthread and uWSGI
            do not
    split   each request goes out in pieces of so many bytes
    endures a connection that ends, or that says nothing for `timeout` seconds, is counted in the report, and another
            one is opened for the next call; with depth 1

Its times are from the end of the request's last send to the end of the answer's first read; with `depth`, of the first
answer alone.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from itertools import islice
from time import perf_counter_ns

from loads.calls import Call
from loads.http_jobs import HttpJobs, HttpSession, HttpTally

CHUNK = 7_000


class Ended(Exception):
    """The server has closed the connection where it should not."""


class RawSession(HttpSession):
    _socket: socket.socket | None = None
    _status = 0  # of the answer whose head has come
    _sent = False  # the request is

    def warm_up(self, tally: HttpTally) -> None:
        self._tally = tally
        self._buffer = b""
        self._wrote = self._first = 0
        self._connect()

    def _connect(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX if self.target.socket else socket.AF_INET)
            self._socket.settimeout(self.options.get("timeout", 30))
            if not self.target.socket:
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # pieces stay pieces
            self._socket.connect(self.target.socket or (self.target.host, self.target.port))
            self._buffer = b""
            self._tally.report.connections["opened"] += 1
        return self._socket

    def perform(self, calls: Iterable[Call], tally: HttpTally) -> None:
        self._tally = tally
        depth, left = self.options.get("depth", 1), iter(calls)
        while some := list(islice(left, depth)):
            while some:
                try:
                    for call, status, size in self._exchange(some):
                        tally.done(call, status, size, self._first)
                        some.remove(call)
                except (Ended, OSError):
                    if not self.options.get("endures"):
                        raise
                    self._broken_off(some, tally)

    def _broken_off(self, some: list[Call], tally: HttpTally) -> None:
        """What was not even sent is left to be asked again."""
        assert len(some) == 1
        self.close()
        if self._status:
            tally.done(some[0], self._status, some[0].asked, self._first)
            tally.report.cut += 1
        elif self._sent:
            tally.report.unanswered += 1
        if self._sent:
            some.clear()

    def request(self, call: Call) -> tuple[int, int]:
        ((_, status, size),) = self._exchange([call])
        return status, size

    def _exchange(self, calls: list[Call]) -> list[tuple[Call, int, int]]:
        """The answers that came before the server closed the connection: one for each call, or fewer."""
        self._status, self._sent = 0, False
        self._send(b"".join(self._head(call) + (b"" if call.expect else _body(call)) for call in calls))
        self._sent = True
        answers = []
        for call in calls:
            if call.expect:
                assert self._line().split()[1] == b"100"
                assert self._line() == b""
                self._send(_body(call))
            status, size, more = self._answer(call)
            answers.append((call, status, size))
            if not more:
                self.close()
                break
        return answers

    def _head(self, call: Call) -> bytes:
        lines = [f"{call.method} {call.target} HTTP/{call.version}", "Host: localhost", "Accept: */*"]
        if call.chunked:
            lines.append("Transfer-Encoding: chunked")
        elif call.body or call.method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(call.body)}")
        if call.expect:
            lines.append("Expect: 100-continue")
        if self.closes(call):
            lines.append("Connection: close")
        return "\r\n".join([*lines, "", ""]).encode()

    def _send(self, data: bytes) -> None:
        connection, step = self._connect(), self.options.get("split") or len(data)
        for first in range(0, len(data), step):
            connection.sendall(data[first : first + step])
        self._wrote, self._first = perf_counter_ns(), 0

    def _fill(self) -> bool:
        """Reads once; False at the end of the stream."""
        assert self._socket is not None
        data = self._socket.recv(65536)
        self._first = self._first or perf_counter_ns() - self._wrote
        self._buffer += data
        return bool(data)

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            if not self._fill():
                raise Ended(f"inside {self._buffer!r}")
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def _take(self, size: int) -> None:
        while len(self._buffer) < size:
            size -= len(self._buffer)
            self._buffer = b""
            if not self._fill():
                raise Ended("inside a body")
        self._buffer = self._buffer[size:]

    def _answer(self, call: Call) -> tuple[int, int, bool]:
        """Status, bytes of body, and whether the connection goes on."""
        version, status, *_ = self._line().split(b" ", 2)
        headers = {}
        while line := self._line():
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip().lower()
        self._status = int(status)
        said = headers.get(b"connection", b"")
        more = said != b"close" and (version == b"HTTP/1.1" or said == b"keep-alive") and not self.closes(call)
        if call.method == "HEAD" or int(status) in (204, 304):
            return int(status), 0, more
        if headers.get(b"transfer-encoding") == b"chunked":
            return int(status), self._chunks(), more
        if b"content-length" in headers:
            self._take(int(headers[b"content-length"]))
            return int(status), int(headers[b"content-length"]), more
        size = 0
        while self._buffer or self._fill():
            size += len(self._buffer)
            self._buffer = b""
        return int(status), size, False

    def _chunks(self) -> int:
        total = 0
        while size := int(self._line().split(b";")[0], 16):
            self._take(size)
            assert self._line() == b""
            total += size
        assert self._line() == b""
        return total

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _body(call: Call) -> bytes:
    if not call.chunked:
        return call.body
    pieces = [call.body[first : first + CHUNK] for first in range(0, len(call.body), CHUNK)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


if __name__ == "__main__":
    HttpJobs(RawSession).serve()
