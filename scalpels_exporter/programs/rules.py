"""A rule names the processes of one service. Matching only: `identify` reads facts, `known` has the built-in list."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

OTHER = "other"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a process. Empty where it could not be read."""

    cmdline: str = ""  # arguments joined by one blank
    exe: str = ""
    unit: str = ""  # systemd unit: nova-compute.service
    container: str = ""  # container's id or name as its cgroup says


@dataclass(frozen=True, slots=True)
class Rule:
    """All the patterns that are given must be found (re.search) in their fact. `name` may use \\1, \\g<group> of the
    first pattern that has groups."""

    name: str
    cmdline: re.Pattern[str] | None = None
    exe: re.Pattern[str] | None = None
    unit: re.Pattern[str] | None = None
    container: re.Pattern[str] | None = None

    def program(self, facts: Facts) -> str | None:
        """The program's name, or None where the rule does not match."""
        expand: re.Match[str] | None = None
        for pattern, text in (
            (self.cmdline, facts.cmdline),
            (self.exe, facts.exe),
            (self.unit, facts.unit),
            (self.container, facts.container),
        ):
            if pattern is None:
                continue
            match = pattern.search(text)
            if match is None:
                return None
            if expand is None and pattern.groups:
                expand = match
        return expand.expand(self.name) if expand else self.name


def name_program(rules: Sequence[Rule], facts: Facts) -> str:
    """The first rule that matches names the process; OTHER where none does."""
    for rule in rules:
        found = rule.program(facts)
        if found is not None:
            return found
    return OTHER
