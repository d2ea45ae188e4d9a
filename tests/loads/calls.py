"""The calls of the HTTP loads: mixes, each an endless repetition, which the application of tests/servers/apps obeys.

Every call says the status that it must get.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any


@dataclass(frozen=True)
class Call:
    method: str
    target: str
    status: int = 200
    body: bytes = b""
    chunked: bool = False  # the body is sent in chunks, its length not said
    expect: bool = False  # the body is sent after 100 Continue, where the client can
    version: str = "1.1"  # raw alone speaks 1.0 too

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def closes(self) -> bool:
        """The request asks for the end of the connection."""
        return "close=1" in self.target

    @property
    def asked(self) -> int:
        """Bytes of body that the answer must have."""
        if self.method == "HEAD" or self.status in (204, 304):
            return 0
        _, found, size = self.target.partition("size=")
        return int(size.partition("&")[0]) if found else 0


Mix = Callable[..., Iterator[Call]]


def api(chance: random.Random, **_: Any) -> Iterator[Call]:
    """What clients of OpenStack's APIs ask for; every id is a new one."""

    def some() -> str:
        return str(uuid.UUID(int=chance.getrandbits(128), version=4))

    while True:
        server, port, image, project = some(), some(), some(), some().replace("-", "")
        yield Call("POST", "/v3/auth/tokens?status=201&size=2000", 201, b'{"auth": {}}' * 20)
        yield Call("GET", "/v3/auth/tokens?size=2000")
        yield Call("GET", f"/v3/projects/{project}?size=300")
        yield Call("GET", "/v2.1/servers/detail?all_tenants=1&size=30000")
        yield Call("GET", f"/v2.1/servers/{server}?size=1500")
        yield Call("POST", f"/v2.1/servers/{server}/action?status=202", 202, b'{"reboot": {"type": "SOFT"}}')
        yield Call("DELETE", f"/v2.1/servers/{server}?status=204", 204)
        yield Call("GET", f"/v2.1/servers/{server}?status=404&size=80", 404)
        yield Call("PUT", f"/v2.0/ports/{port}?size=900", 200, b'{"port": {}}')
        yield Call("POST", "/v2.0/ports?status=409&size=120", 409, b'{"port": {"name": "again"}}')
        yield Call("GET", "/v2.0/networks?fields=id&fields=name&size=5000&chunks=4")
        yield Call("HEAD", f"/v2/images/{image}?size=700")
        yield Call("PATCH", f"/v2/images/{image}?size=700", 200, b"[]")
        yield Call("GET", f"/v3/{project}/volumes/detail?status=500&size=60", 500)
        yield Call("GET", f"/allocations/{server}?sleep=0.002&size=200")
        yield Call("GET", f"/resource_providers/{some()}/inventories?status=304", 304)


def small(chance: random.Random, **_: Any) -> Iterator[Call]:
    """One small answer again and again."""
    return cycle([Call("GET", "/small?size=10")])


def thinking(chance: random.Random, seconds: float = 0.001, **_: Any) -> Iterator[Call]:
    """The server thinks before the first byte."""
    return cycle([Call("GET", f"/thinking?sleep={seconds:f}&size=10")])


def bodies(chance: random.Random, **_: Any) -> Iterator[Call]:
    """Every way in which an answer may end."""
    while True:
        yield Call("HEAD", "/bodies/head?size=1234")
        yield Call("GET", "/bodies/none?size=0")
        yield Call("GET", "/bodies/no-content?status=204", 204)
        yield Call("GET", "/bodies/not-modified?status=304", 304)
        yield Call("GET", "/bodies/pieces?size=70000&chunks=7")
        yield Call("GET", "/bodies/one-piece?size=1&chunks=1")
        yield Call("GET", "/bodies/long?size=2000000")
        yield Call("GET", "/bodies/until-the-end?close=1&size=3000")
        yield Call("GET", "/bodies/text?size=100&text=HTTP/1.1%20404%20Not%20Found")


def old(chance: random.Random, **_: Any) -> Iterator[Call]:
    """HTTP/1.0: no length, no chunks, the body ends with the connection."""
    while True:
        yield Call("GET", "/old/until-the-end?close=1&size=3000", version="1.0")
        yield Call("GET", "/old/with-length?size=100", version="1.0")
        yield Call("HEAD", "/old/head?size=100", version="1.0")


def uploads(chance: random.Random, size: int = 200_000, **_: Any) -> Iterator[Call]:
    """Bodies that are longer than a read, and one that looks like requests."""
    while True:
        yield Call("POST", "/uploads/long?status=201&size=5", 201, b"u" * size)
        yield Call("PUT", "/uploads/short?size=5", 200, b"u")
        yield Call("POST", "/uploads/request-like?size=5", 200, b"GET /inside HTTP/1.1\r\nHost: x\r\n\r\n" * 3)


def announced(chance: random.Random, size: int = 200_000, **_: Any) -> Iterator[Call]:
    """Bodies that are sent after 100 Continue. uWSGI's HTTP does not say it."""
    return cycle([Call("PUT", "/uploads/announced?size=5", 200, b"u" * size, expect=True)])


def chunked_uploads(chance: random.Random, size: int = 50_000, **_: Any) -> Iterator[Call]:
    """Bodies whose length is not said; uWSGI does not take them."""
    return cycle([Call("POST", "/uploads/chunked?status=201&size=5", 201, b"u" * size, chunked=True)])


def errors(chance: random.Random, **_: Any) -> Iterator[Call]:
    statuses = (400, 401, 403, 404, 409, 413, 429, 500, 502, 503)
    return cycle([Call("GET", f"/errors?status={status}&size=20", status) for status in statuses])


def files(chance: random.Random, **_: Any) -> Iterator[Call]:
    """Of Apache and nginx alone: what they send by sendfile. The query is for the load; they do not read it."""
    while True:
        for size in (0, 10, 1_000, 100_000, 5_000_000):
            yield Call("GET", f"/files/{size}?size={size}")
        yield Call("HEAD", "/files/100000")


MIXES: dict[str, Mix] = {
    mix.__name__: mix for mix in (api, small, thinking, bodies, old, uploads, announced, chunked_uploads, errors, files)
}
