"""The Dockerfile as data: its lines, and its stages. Knows nothing of what they do. Imported by name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from running import ROOT

LINES = [
    line
    for line in re.sub(
        r"\\\n", " ", re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    ).splitlines()
    if line
]


@dataclass
class Stage:
    """What stands from one FROM to the next: its image, its name or "", its other lines as (word, rest)."""

    image: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)


def of(word: str) -> list[str]:
    return [line.removeprefix(f"{word} ") for line in LINES if line.startswith(f"{word} ")]


def stages() -> list[Stage]:
    found: list[Stage] = []
    for line in LINES:
        word, _, rest = line.partition(" ")
        if word == "FROM":
            image, _, name = rest.partition(" AS ")
            found.append(Stage(image, name))
        else:
            found[-1].steps.append((word, rest))
    return found


def copied() -> list[str]:
    """What `COPY .` copies, by .dockerignore, which names it."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return [line[1:] for line in lines if line.startswith("!")]
