"""All that the supervisor keeps of one tracer. A record: `supervisor` and `ticks` change it, `report` reads it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from scalpels_exporter.config.settings import Chosen
from scalpels_exporter.declare import Bpf, Parser
from scalpels_exporter.intake.intake import Intake
from scalpels_exporter.supervise.life import COMPILE_SECONDS, Life
from scalpels_exporter.supervise.overhead import Spending
from scalpels_exporter.supervise.pipes import Pipes
from scalpels_exporter.supervise.status import State
from scalpels_exporter.supervise.usage import Usage

PICTURE_POINTS = 120


@dataclass(slots=True)
class Tracked:
    """Monotonic seconds unless a name says otherwise."""

    chosen: Chosen
    intake: Intake
    life: Life = field(default_factory=Life)
    run: int = 0  # the present or last life of its worker
    pid: int | None = None
    pipes: Pipes | None = None
    owes_since: float | None = None  # a tick was sent and is not answered
    late: bool = False  # a scrape gave up waiting for it
    answered: Callable[[], None] | None = None  # set by a round of ticks that waits
    why: str = ""  # of the present state
    last_words: str = ""  # the last line of its stderr that was an error
    since: float = 0.0  # unix time of the last change of state
    snapshot_at: float | None = None  # unix time
    probed: float = 0.0  # run time of its kernel programs in the present life, seconds
    starts: int = 0
    exits: Counter[str] = field(default_factory=Counter)
    timeouts: int = 0
    spent: float = 0.0  # CPU seconds of the lives that have ended
    usage: Usage = field(default_factory=Usage)
    spending: Spending = field(default_factory=Spending)
    borrowed: bool = False  # the state is that of its host
    gone: bool = False  # no longer in the configuration: forgotten when its worker has ended
    thinned: bool = False  # over its share of the overhead budget: ticks are skipped
    skipped: int = 0  # ticks
    picture: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=PICTURE_POINTS))
    picture_last: tuple[float, float] | None = None  # (unix time, total) at the last point

    def __post_init__(self) -> None:
        if isinstance(self.chosen.tracer.runs, Bpf | Parser):
            self.life.start_seconds = COMPILE_SECONDS

    @property
    def name(self) -> str:
        return self.chosen.tracer.name

    @property
    def ticked(self) -> bool:
        return self.chosen.tracer.ticked

    @property
    def live(self) -> bool:
        return self.pipes is not None

    def began(self, pid: int, pipes: Pipes) -> None:
        """A worker is there; a member's is its host's, which is looked at as that one's."""
        self.pid = None if self.chosen.tracer.host else pid
        self.pipes, self.starts = pipes, self.starts + 1
        self.owes_since, self.late, self.last_words = None, False, ""
        self.intake.restarted()
        self.spending.forget()

    def over(self) -> None:
        """Its worker is no more."""
        if self.pipes:
            self.pipes.close()
        self.spent += self.usage.cpu_seconds
        self.pipes, self.pid, self.usage, self.owes_since = None, None, Usage(), None

    @property
    def serves(self) -> bool:
        """Whether its last good snapshot is still worth serving: it runs, or comes back by itself."""
        return self.life.state in (State.STARTING, State.RUNNING, State.BACKOFF)
