"""What a request's head says, checked: sizes, two meanings at once, where it wants to go. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

from scalpels_exporter.web.limits import Limits
from scalpels_exporter.web.message import Refused


@dataclass(frozen=True, slots=True)
class Head:
    method: str
    path: str
    authority: str
    headers: Mapping[str, str]
    length: int | None  # Content-Length


def read_head(request: h11.Request, limits: Limits) -> Head:
    """Raises Refused."""
    target = request.target
    if len(request.method) + len(target) + len(" HTTP/1.1 ") > limits.target_bytes:
        raise target_too_long(limits)
    pairs = list(request.headers)
    if len(pairs) > limits.header_count:
        raise Refused(431, f"more than {limits.header_count} header fields", "head_size")
    if sum(len(name) + len(value) + 4 for name, value in pairs) + len(target) > limits.head_bytes:
        raise head_too_long(limits)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}
    if "transfer-encoding" in headers and "content-length" in headers:
        raise Refused(400, "Content-Length and Transfer-Encoding contradict each other", "bad_request")
    path, authority = _target(target.decode("latin-1"), headers.get("host", ""))
    length = headers.get("content-length")
    return Head(
        request.method.decode("latin-1"), path, authority, headers, None if length is None else int(length[:19])
    )


def _target(target: str, host: str) -> tuple[str, str]:
    """Path and authority. A target in absolute form overrides Host (RFC 9112 §3.2.2)."""
    if target.startswith("/"):
        return target.partition("?")[0].partition("#")[0], host
    if target.lower().startswith(("http://", "https://")):
        try:
            parts = urlsplit(target)
        except ValueError:
            raise Refused(400, "the request target is not a URL", "bad_request") from None
        return parts.path or "/", parts.netloc.rpartition("@")[2]
    return target, host


def refusal(error: h11.RemoteProtocolError, received: bytes, limits: Limits) -> Refused:
    """What h11 could not read, as one line; nothing of what was received is shown."""
    hint = error.error_status_hint
    if hint == 431:
        return head_too_long(limits) if b"\n" in received[: limits.target_bytes] else target_too_long(limits)
    if hint == 501:
        return Refused(501, "the only transfer encoding known here is chunked", "bad_request")
    return Refused(400, "this is not an HTTP/1.1 request", "bad_request")


def head_too_long(limits: Limits) -> Refused:
    return Refused(431, f"the request head is longer than {limits.head_bytes} bytes", "head_size")


def target_too_long(limits: Limits) -> Refused:
    return Refused(414, f"the request line is longer than {limits.target_bytes} bytes", "target_size")
