"""HTTP to an agent through `requests`, over TCP or a Unix socket, within bounds. Knows nothing of tracers."""

from __future__ import annotations

import base64
import socket
from dataclasses import dataclass

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

CONNECT_SECONDS = 5.0
ANSWER_BYTES = 32 << 20
UNIX = "http+unix://agent"  # `requests` only takes schemes that begin with http


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace").strip()


class Unreachable(Exception):
    """Nothing answers there; the text says why."""


class NotAllowed(Unreachable):
    """The socket is there, and this user may not use it."""


class Transport:
    """One agent at `url`: http(s)://HOST:PORT or unix:/PATH. `verify` is a CA file, or whether to check at all."""

    def __init__(
        self,
        url: str,
        credentials: tuple[str, str] | None = None,
        verify: str | bool = True,
        answer_seconds: float = 10.0,
    ) -> None:
        self._seconds = (CONNECT_SECONDS, answer_seconds)
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy and no .netrc: what the command line says is all that counts
        self._session.verify = verify
        if credentials:
            pair = base64.b64encode(":".join(credentials).encode()).decode()
            self._session.headers["Authorization"] = f"Basic {pair}"
        if verify is False:
            urllib3.disable_warnings()  # asked for by --insecure
        self.closed = ""  # a place that was tried before this one and is not for this user
        self._base = url.rstrip("/")
        if url.startswith("unix:"):
            self._session.mount(UNIX, _UnixAdapter(url.removeprefix("unix:"), answer_seconds))
            self._base = UNIX

    def request(self, method: str, path: str, body: object = None) -> Answer:
        """Raises Unreachable."""
        try:
            with self._session.request(
                method,
                self._base + path,
                json=body,
                timeout=self._seconds,
                allow_redirects=False,
                stream=True,
            ) as response:
                content = response.raw.read(ANSWER_BYTES + 1, decode_content=True)
                if len(content) > ANSWER_BYTES:
                    raise Unreachable(f"its answer is longer than {ANSWER_BYTES >> 20} MiB")
                return Answer(response.status_code, content)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, UnicodeError) as error:
            refused, reason = _reason(error)
            raise (NotAllowed if refused else Unreachable)(reason) from None


class _UnixAdapter(HTTPAdapter):
    def __init__(self, path: str, answer_seconds: float) -> None:
        self._pool = _UnixPool(path, answer_seconds)
        super().__init__()

    def get_connection_with_tls_context(self, *_: object, **__: object) -> HTTPConnectionPool:
        return self._pool

    def get_connection(self, *_: object, **__: object) -> HTTPConnectionPool:  # requests before 2.32
        return self._pool

    def close(self) -> None:
        self._pool.close()
        super().close()


class _UnixPool(HTTPConnectionPool):
    def __init__(self, path: str, answer_seconds: float) -> None:
        super().__init__("localhost")
        self._place = (path, answer_seconds)

    def _new_conn(self) -> HTTPConnection:
        return _UnixConnection(*self._place)


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str, answer_seconds: float) -> None:
        super().__init__("localhost")
        self._path, self._seconds = path, answer_seconds

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CONNECT_SECONDS)
        self.sock.connect(self._path)
        self.sock.settimeout(self._seconds)


def _reason(error: BaseException) -> tuple[bool, str]:
    """Whether the file system forbids it, and the innermost cause in few words: the outer ones repeat it."""
    seen: set[int] = set()
    inner: BaseException = error
    while id(inner) not in seen:
        seen.add(id(inner))
        for deeper in (getattr(inner, "reason", None), inner.__cause__, inner.__context__, *inner.args):
            if isinstance(deeper, BaseException) and id(deeper) not in seen:
                inner = deeper
                break
    if isinstance(inner, TimeoutError | requests.Timeout | urllib3.exceptions.TimeoutError):
        return False, "no answer in time"
    text = inner.strerror if isinstance(inner, OSError) and inner.strerror else str(inner)
    return isinstance(inner, PermissionError), (text.splitlines() or [type(inner).__name__])[0]
