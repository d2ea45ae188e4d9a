"""What the real agent shows of SQL, in the words of the loads and servers that know the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from callers import Series, series_of, settled
from loads.load import SqlLoad
from loads.target import Target
from running import RunningAgent, quiet_but

MARK = "mark-of-the-load"
RULES = (
    "programs:\n"
    f"  - {{name: load, cmdline: '^[^ ]*python[^ ]* .*{MARK}'}}\n"
    "  - {name: hostile, cmdline: '^[^ ]*python[^ ]* .*mark-of-the-hostile'}\n"
)
SETTINGS = f"{RULES}{quiet_but('sql')}  sql: {{}}\n"
# Commands of MySQL's protocol, which no server counts as statements.
COMMANDS = ("PING", "PREPARE", "OTHER")


def counted(found: Series, name: str, by: str, **labels: str) -> Counter[str]:
    """The series `name` with these labels, added up by the label `by`, in capitals."""
    total: Counter[str] = Counter()
    for (sample, pairs), value in found.items():
        those = dict(pairs)
        if sample == name and all(those.get(label) == wanted for label, wanted in labels.items()):
            total[those[by].upper()] += round(value)
    return +total


class Seen:
    """What a while has added to the agent's series."""

    def __init__(self, before: Series, after: Series) -> None:
        self._before, self._after = before, after

    def gained(self, name: str, by: str, **labels: str) -> Counter[str]:
        return counted(self._after, name, by, **labels) - counted(self._before, name, by, **labels)

    def verbs(self, program: str, side: str) -> Counter[str]:
        return self.gained("scalpels_sql_seconds_count", "verb", program=program, side=side)

    def completed(self, program: str, side: str) -> Counter[str]:
        return self.gained("scalpels_sql_complete_seconds_count", "verb", program=program, side=side)

    def codes(self, program: str, side: str) -> Counter[str]:
        return self.gained("scalpels_sql_errors_total", "code", program=program, side=side)


class Watched:
    """Begins a while."""

    def __init__(self, agent: RunningAgent) -> None:
        self._agent = agent
        self._before = series_of(agent, "scalpels_sql")

    def after(self) -> Seen:
        return Seen(self._before, settled(self._agent, "scalpels_sql"))


def statements(verbs: Counter[str], client: str) -> Counter[str]:
    """Less the protocol's commands, of which mysql-connector sends many."""
    return Counter({v: n for v, n in verbs.items() if client != "connector" or v not in COMMANDS})


@contextmanager
def known_load(
    client: str, target: Target, agent: RunningAgent, until: Callable[..., object], **options: Any
) -> Iterator[SqlLoad]:
    """A load that the agent has a name for; those before it are gone."""
    until(lambda: not agent.value("scalpels_programs_processes", program="load"), 30, "the last load is gone")
    with SqlLoad(client, target, MARK, **options) as load:
        until(lambda: agent.value("scalpels_programs_processes", program="load") == 1, 30, "the load has its name")
        yield load
