"""Basic authentication against bcrypt hashes, off the loop and bounded. Reads no header: `gate` does.

bcrypt is slow on purpose, so a flood of wrong passwords is an attack on the CPU. A password that was right once
costs one keyed hash from then on; all others wait in a short queue, few of one address, and the rest is turned away.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections import Counter, OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import Enum

import bcrypt

from scalpels_exporter.web.limits import Limits

BCRYPT_BYTES = 72  # bcrypt looks at no more; the library refuses what htpasswd and Go cut


class Verdict(Enum):
    RIGHT = "right"
    WRONG = "wrong"
    BUSY = "busy"  # not looked at: too many others wait
    TOO_MANY = "too_many"  # not looked at: this address alone sends too many


class Passwords:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._users: Mapping[str, bytes] = {}
        self._dearest = b""
        self._secret = secrets.token_bytes(32)
        # Right and wrong ones apart, so that no flood of wrong ones can push out a right one.
        self._seen: dict[bool, OrderedDict[bytes, None]] = {True: OrderedDict(), False: OrderedDict()}
        self._running: dict[bytes, asyncio.Task[bool]] = {}
        self._waiting: Counter[str] = Counter()
        self._threads: ThreadPoolExecutor | None = None

    @property
    def required(self) -> bool:
        return bool(self._users)

    def replace(self, users: Mapping[str, bytes]) -> None:
        """Takes the users of a new file; what was remembered of the old one is forgotten."""
        self._users = dict(users)
        # An unknown user is checked against the dearest hash, so that he takes as long as a known one.
        self._dearest = max(users.values(), key=lambda hashed: hashed[4:6], default=b"")
        self._secret = secrets.token_bytes(32)
        for seen in self._seen.values():
            seen.clear()

    def close(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def check(self, user: str, password: bytes, address: str) -> Verdict:
        key = self._key(user, password)
        for right, seen in self._seen.items():
            if key in seen:
                seen.move_to_end(key)
                return Verdict.RIGHT if right else Verdict.WRONG
        task = self._running.get(key)
        if task is None:
            if self._waiting[address] >= self._limits.password_queue_of_one:
                return Verdict.TOO_MANY
            if len(self._running) >= self._limits.password_queue:
                return Verdict.BUSY
            task = self._enqueue(key, user, password, address)
        try:
            # Shielded, because another connection may wait for the same answer.
            async with asyncio.timeout(self._limits.password_seconds):
                right = await asyncio.shield(task)
        except TimeoutError:
            return Verdict.BUSY
        return Verdict.RIGHT if right else Verdict.WRONG

    def _enqueue(self, key: bytes, user: str, password: bytes, address: str) -> asyncio.Task[bool]:
        task = asyncio.create_task(self._verify(key, user, password))
        self._running[key] = task
        self._waiting[address] += 1

        def leave(done: asyncio.Task[bool]) -> None:
            del self._running[key]
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]
            if not done.cancelled():
                done.exception()  # looked at, so that asyncio does not complain where nobody waits any more

        task.add_done_callback(leave)
        return task

    async def _verify(self, key: bytes, user: str, password: bytes) -> bool:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._limits.password_threads, "bcrypt")
        known = user in self._users
        hashed = self._users.get(user, self._dearest)
        same = await asyncio.get_running_loop().run_in_executor(self._threads, _matches, password, hashed)
        right = same and known
        if hmac.compare_digest(key, self._key(user, password)):  # else the file was replaced meanwhile
            seen = self._seen[right]
            seen[key] = None
            if len(seen) > self._limits.password_cache:
                seen.popitem(last=False)
        return right

    def _key(self, user: str, password: bytes) -> bytes:
        """Without the secret of this process nothing can be learned from it about the password."""
        name = user.encode()
        return hmac.digest(self._secret, len(name).to_bytes(4, "big") + name + password, "sha256")


def _matches(password: bytes, hashed: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:BCRYPT_BYTES], hashed)
    except ValueError:
        return False
