"""A WSGI application that answers as the query tells it, whatever the path: what the servers of the tests run.

    status=N   (200)  204 and 304 have no body      size=N    (0)   bytes of body
    sleep=S    seconds before the first byte        chunks=N  the body in N pieces, with no length said
    close=1    no length said, and the end of the connection asked for; a server may send pieces all the same when the
               client speaks HTTP/1.1

CHUNKS_BY_HAND in the environment: the server neither parts a body of unknown length nor ends its connection (uWSGI).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from http.client import responses
from typing import Any
from urllib.parse import parse_qs

EMPTY = (204, 304)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    query = {name: values[-1] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
    taken = _read_all(environ)
    time.sleep(float(query.get("sleep", 0)))
    status, size = int(query.get("status", 200)), int(query.get("size", 0))
    headers = [("Content-Type", "text/plain"), ("X-Body-Bytes", str(taken))]
    many = int(query.get("chunks", 0))
    says_length = not many and "close" not in query
    if says_length and status not in EMPTY:
        headers.append(("Content-Length", str(size)))
    by_hand = not says_length and os.environ.get("CHUNKS_BY_HAND") and environ.get("SERVER_PROTOCOL") == "HTTP/1.1"
    if by_hand:
        headers.append(("Transfer-Encoding", "chunked"))
    if "close" in query and not by_hand:
        headers.append(("Connection", "close"))
    start_response(f"{status} {responses.get(status, 'Status')}", headers)
    if status in EMPTY or environ["REQUEST_METHOD"] == "HEAD":
        return []
    if says_length:
        return [b"x" * size]
    pieces = _in_pieces(size, many or 1)
    return _chunked(pieces) if by_hand else pieces


def _read_all(environ: dict[str, Any]) -> int:
    """Bytes of the request's body, which is read to its end."""
    body, taken = environ["wsgi.input"], 0
    if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
        while piece := body.read(65536):
            taken += len(piece)
        return taken
    left = int(environ.get("CONTENT_LENGTH") or 0)
    while left and (piece := body.read(min(left, 65536))):
        left -= len(piece)
        taken += len(piece)
    return taken


def _in_pieces(size: int, pieces: int) -> Iterator[bytes]:
    for index in range(pieces):
        yield b"x" * (size // pieces + (index < size % pieces))


def _chunked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        if piece:
            yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"
