"""What the compiler is told of a host and its members together, and where in the shared maps each has its places.

Pure, as `definitions`, which says it of one tracer alone; a host without members is nothing else. Places follow from
the names alone, so that the loader and the worker find the same ones.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from scalpels_exporter.bpf.btf import Btf
from scalpels_exporter.bpf.definitions import (
    FULL,
    general,
    of_parameters,
    of_tables,
    offsets,
    reasons,
)
from scalpels_exporter.config.settings import Chosen
from scalpels_exporter.declare import Bpf, Library, Parser

IN_UPROBE = "IN_UPROBE"  # defined in the second compilation, for the programs of a Library
SWITCHES = "switches"  # the host's map: 1 at a member's place while it is on
MOST_MEMBERS = 32


class Twice(Exception):
    """Two tracers give one name to the C source. The text says which."""


def parts(host: Chosen) -> tuple[Chosen, ...]:
    """The host, then its members in the order of their names."""
    return (host, *host.members)


def runs_of(part: Chosen) -> Bpf | Parser:
    runs = part.tracer.runs
    assert isinstance(runs, Bpf | Parser)
    return runs


def library_of(host: Chosen) -> Library | None:
    """The library that it has probes in, as long as its parameter says so."""
    found = getattr(runs_of(host), "library", None)
    return found if found and host.parameters.get(found.when) else None


def source_of(part: Chosen) -> Path:
    """The path of its C source."""
    stem = Path(part.stem)
    return stem.parent / (runs_of(part).source or f"{stem.stem}.bpf.c")


def calls(host: Chosen) -> list[tuple[Chosen, str]]:
    """Whose each function in the host's program array is, and its name; recognisers first. Its index is its place."""
    every = [(part, runs_of(part)) for part in parts(host)]
    first = [(part, name) for part, runs in every if isinstance(runs, Parser) for name in runs.recognisers]
    return first + [(part, name) for part, runs in every for name in runs.programs]


def checks(host: Chosen) -> list[tuple[Chosen, str]]:
    """Whose each function is that a companion runs, and its name."""
    every = [(part, runs_of(part)) for part in parts(host)]
    return [(part, runs.check) for part, runs in every if isinstance(runs, Parser) and runs.check]


def lost_places(host: Chosen, part: Chosen) -> dict[str, int]:
    """The reasons of one of the parts, as it calls them, and the place of each in the map `lost`."""
    return {reason: place for place, (owner, reason) in enumerate(_lost(host)) if owner is part}


def switch(host: Chosen, member: Chosen) -> bytes:
    """The key of its place in the map `switches`."""
    return host.members.index(member).to_bytes(4, sys.byteorder)


def definitions(host: Chosen) -> dict[str, int]:
    """All but the offsets. Raises Twice."""
    found: dict[str, int] = {}
    owners: dict[str, str] = {}
    for owner, told in _told(host):
        for name, value in told.items():
            if name in found:
                raise Twice(f"{name} is defined by {owners[name]} and by {owner}: give one of the two another name")
            found[name], owners[name] = value, owner
    return found


def all_offsets(host: Chosen, btf: Btf | None, why_none: str = "the kernel's BTF is not used") -> dict[str, int]:
    """Those of every part that are known. Raises Missing and Twice."""
    found: dict[str, int] = {}
    places: dict[str, tuple[str, str]] = {}
    for part in parts(host):
        for one in runs_of(part).offsets:
            if places.setdefault(one.define, (one.struct, one.member)) != (one.struct, one.member):
                raise Twice(f"{one.define} is another offset in {part.tracer.name}: give it another name there")
        found |= offsets(runs_of(part), btf, why_none)
    return found


def _told(host: Chosen) -> Iterator[tuple[str, dict[str, int]]]:
    """Who defines what."""
    yield host.tracer.name, general()
    for place, (part, reason) in enumerate(lost := _lost(host)):
        yield (
            part.tracer.name,
            {f"LOST_{'' if part is host or reason != FULL else _prefix(part)}{reason.upper()}": place},
        )
    yield host.tracer.name, {"LOST_REASONS": len(lost)}
    for part in parts(host):
        yield part.tracer.name, of_tables(part.tracer, runs_of(part).tables)
        yield part.tracer.name, of_parameters(part.parameters, "" if part is host else _prefix(part))
    if getattr(runs_of(host), "calls", ""):
        yield from _of_calls(host)


def _of_calls(host: Chosen) -> Iterator[tuple[str, dict[str, int]]]:
    every = calls(host)
    recognisers = sum(len(runs.recognisers) for one in host.members if isinstance(runs := runs_of(one), Parser))
    yield host.tracer.name, {"CALLS": max(1, len(every)), "RECOGNISERS": recognisers}
    for place, (part, name) in enumerate(every):
        yield part.tracer.name, {f"CALL_{name.upper()}": place}
    for place, part in enumerate(host.members):
        yield part.tracer.name, {f"SWITCH_{part.tracer.name.upper()}": place}


def _lost(host: Chosen) -> list[tuple[Chosen, str]]:
    return [(part, reason) for part in parts(host) for reason in reasons(runs_of(part))]


def _prefix(part: Chosen) -> str:
    return f"{part.tracer.name.upper()}_"
