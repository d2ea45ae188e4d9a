"""What stands before every handler: the request rate and the password. Says who the user is; control is `control`'s."""

from __future__ import annotations

import asyncio
import base64
import binascii
import math

from scalpels_exporter.web.counted import Counted
from scalpels_exporter.web.inforce import InForce
from scalpels_exporter.web.message import Answer, Request, text
from scalpels_exporter.web.passwords import Verdict

CHALLENGE = ("WWW-Authenticate", 'Basic realm="scalpels-exporter", charset="UTF-8"')


async def admit(request: Request, in_force: InForce, counted: Counted) -> str | Answer:
    """The user's name ("" where nobody has to be one), or the answer that ends the request.

    The Unix socket needs neither: its file mode and the kernel's word about the peer decide there.
    """
    if request.peer.unix:
        return ""
    seconds = in_force.bucket.wait(asyncio.get_running_loop().time())
    if seconds:
        counted.refused("rate")
        return _later(429, "more requests than rate_limit in the web configuration allows", seconds)
    if not in_force.passwords.required:
        return f"cert:{request.peer.certificate}" if request.peer.certificate else ""
    given = _credentials(request.headers.get("authorization", ""))
    if given is None:
        counted.refused("authentication")
        return text(401, "a user name and a password are needed", (CHALLENGE,))
    user, password = given
    verdict = await in_force.passwords.check(user, password, request.peer.address)
    if verdict is Verdict.RIGHT:
        return user
    if verdict is Verdict.WRONG:
        counted.refused("authentication")
        return text(401, "the user name or the password is wrong", (CHALLENGE,))
    counted.refused("authentication_queue")
    if verdict is Verdict.TOO_MANY:
        return _later(429, "too many log-ins at once from this address", 1)
    return _later(503, "too many log-ins at once", 1)


def _later(status: int, line: str, seconds: float) -> Answer:
    return text(status, line, (("Retry-After", str(math.ceil(seconds))),))


def _credentials(header: str) -> tuple[str, bytes] | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None
