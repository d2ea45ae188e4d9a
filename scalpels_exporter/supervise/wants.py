"""Which tracers are wanted: the configuration's word, unless somebody said otherwise, for good or for a while."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scalpels_exporter.config.settings import Chosen

LONGEST_LEASE_SECONDS = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody's start or stop. `until` is a unix time; None for as long as the agent runs."""

    up: bool
    until: float | None
    reason: str
    who: str


class Wants:
    """Survives a reload: what was said by hand stays until its lease ends or the opposite is said."""

    def __init__(self) -> None:
        self._overrides: dict[str, Override] = {}
        self._needed: dict[str, list[str]] = {}  # a tracer that others cannot do without → these

    def say(self, tracer: str, override: Override) -> None:
        self._overrides[tracer] = override

    def override(self, tracer: str) -> Override | None:
        return self._overrides.get(tracer)

    def wanted(self, tracer: str, enabled: bool) -> bool:
        return tracer in self._needed or self._said(tracer, enabled)

    def _said(self, tracer: str, enabled: bool) -> bool:
        said = self._overrides.get(tracer)
        return said.up if said else enabled

    def require(self, every: Iterable[Chosen]) -> None:
        """Notes what those that are wanted cannot do without: it is wanted as long as they are."""
        known = {chosen.tracer.name: chosen for chosen in every}
        self._needed.clear()
        queue = [chosen for chosen in known.values() if self._said(chosen.tracer.name, chosen.enabled)]
        said = {chosen.tracer.name for chosen in queue}
        for chosen in queue:
            needed = chosen.tracer.requires
            if not needed:
                continue
            if needed in known and needed not in said and needed not in self._needed:
                queue.append(known[needed])  # what it cannot do without itself
            self._needed.setdefault(needed, []).append(chosen.tracer.name)

    def expire(self, now: float) -> list[tuple[str, Override]]:
        """Forgets the leases that have ended by `now`, and returns them."""
        ended = [(name, o) for name, o in self._overrides.items() if o.until is not None and o.until <= now]
        for name, _ in ended:
            del self._overrides[name]
        return ended

    def next_end(self) -> float | None:
        """The unix time at which the next lease ends."""
        return min((o.until for o in self._overrides.values() if o.until is not None), default=None)

    def keep(self, tracers: Iterable[str]) -> None:
        """Forgets what was said of tracers that are no more."""
        known = set(tracers)
        self._overrides = {name: o for name, o in self._overrides.items() if name in known}

    def why(self, tracer: str, enabled: bool) -> str:
        """For people: who wants it so."""
        said = self._overrides.get(tracer)
        if tracer in self._needed and not self._said(tracer, enabled):
            return f"needed by {', '.join(self._needed[tracer])}"
        if said is None:
            return "configured" if enabled else "off in the configuration"
        verb = "started" if said.up else "stopped"
        return f"{verb} by {said.who}" + (f": {said.reason}" if said.reason else "")
