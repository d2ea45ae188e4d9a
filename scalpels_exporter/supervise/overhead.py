"""The overhead budget of the node, enforced: who uses more than its share is asked less often, then stopped.

Counts CPU seconds that `usage` has measured and the run time of kernel programs; decides
by windows of time, so that one dear moment is forgiven. Pure: `supervisor` acts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

THIN_SECONDS = 60.0  # over its share for so long on average: ticks are skipped until it is within it again
SHED_SECONDS = 300.0  # over its share all the same: stopped
STEP_SECONDS = 1.0  # between two points


@dataclass(slots=True)
class Spending:
    """What one tracer has used so far, at some moments of the last SHED_SECONDS. Monotonic seconds."""

    points: deque[tuple[float, float]] = field(default_factory=deque)  # (moment, CPU seconds since the agent's start)

    def note(self, now: float, total: float) -> None:
        if self.points and now - self.points[-1][0] < STEP_SECONDS:
            return
        self.points.append((now, total))
        # One point older than the window stays, so that the whole window is covered.
        while len(self.points) > 2 and self.points[1][0] <= now - SHED_SECONDS:
            self.points.popleft()

    def cores(self, now: float, window: float) -> float | None:
        """CPU seconds a second over the last `window`; None when it has not been watched for so long."""
        if not self.points or self.points[0][0] > now - window:
            return None
        last = self.points[-1][1]
        begin = next((p for p in reversed(self.points) if p[0] <= now - window), self.points[0])
        return (last - begin[1]) / max(now - begin[0], window)

    def forget(self) -> None:
        self.points.clear()


def over_share(cores: Mapping[str, float], budget: float) -> set[str]:
    """The tracers that use more than their equal share of `budget` (in cores), when all together are over it."""
    if not cores or sum(cores.values()) <= budget:
        return set()
    share = budget / len(cores)
    return {name for name, used in cores.items() if used > share}
