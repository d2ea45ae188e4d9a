"""The web configuration that is in force, and its replacement when the files change. Checks nothing: `webconfig` does.

A broken new file keeps the old one in force: losing the password check or the port would be worse than being late.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from scalpels_exporter.config.settings import Mistake, Mistakes
from scalpels_exporter.web.counted import Counted
from scalpels_exporter.web.limits import Limits
from scalpels_exporter.web.passwords import Passwords
from scalpels_exporter.web.ratelimit import Bucket
from scalpels_exporter.web.webconfig import WebConfig, check
from scalpels_exporter.web.webfiles import WebFiles

log = logging.getLogger(__name__)

Fetch = Callable[[], Awaitable[WebFiles | None]]  # None: unchanged since the last call; raises Mistakes


class InForce:
    def __init__(self, fetch: Fetch | None, limits: Limits, counted: Counted) -> None:
        self.config = WebConfig()
        self.passwords = Passwords(limits)
        self.bucket = Bucket(0, 0)
        self._fetch = fetch
        self._limits = limits
        self._counted = counted
        self._looked = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self._complained = ""

    async def first(self) -> None:
        """Raises Mistakes: an agent does not start with a broken file."""
        if self._fetch is None:
            return
        self._looked = asyncio.get_running_loop().time()
        files = await self._fetch()
        if files is not None:
            self._apply(check(files))

    async def refresh(self) -> None:
        """Looks for new files, at most once a second however many ask; waits a bounded time; never raises."""
        if self._fetch is None:
            return
        now = asyncio.get_running_loop().time()
        if self._looking is None and now - self._looked >= self._limits.refresh_seconds:
            self._looked = now
            self._looking = asyncio.create_task(self._look(self._fetch))
            self._looking.add_done_callback(self._looked_at)
        # Whoever comes later than this does not wait for a privileged side that hangs.
        left = self._looked + self._limits.refresh_wait_seconds - now
        if self._looking is not None and left > 0:
            await asyncio.wait({self._looking}, timeout=left)

    async def close(self) -> None:
        self.passwords.close()
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking

    def _looked_at(self, _task: asyncio.Task[None]) -> None:
        self._looking = None

    async def _look(self, fetch: Fetch) -> None:
        try:
            files = await fetch()
            if files is None:
                return
            config = check(files)
            if config.empty and not self.config.empty:
                # An editor that truncates before it writes would otherwise open the port to everybody for a moment.
                problem = "neither users nor TLS are left; to switch them off, restart the agent"
                raise Mistakes([Mistake(files.path, 0, "", problem)])
        except Mistakes as mistakes:
            self._complain("; ".join(str(mistake) for mistake in mistakes.found))
        except Exception as error:  # whatever the privileged side says, the port stays open
            self._complain(f"{type(error).__name__}: {error}")
        else:
            self._complained = ""
            self._apply(config)
            log.info("web configuration: %s is in force", files.path)

    def _complain(self, why: str) -> None:
        self._counted.config_failures.inc()
        if why != self._complained:
            self._complained = why
            log.error("web configuration: the old one stays in force: %s", why)

    def _apply(self, config: WebConfig) -> None:
        if config.users != self.config.users:
            self.passwords.replace(config.users)
        if (config.interval, config.burst) != (self.bucket.interval, self.bucket.burst):
            self.bucket = Bucket(config.interval, config.burst)
        for note in config.notes:
            if note not in self.config.notes:
                log.warning("web configuration: %s", note)
        self.config = config
