"""The user's file → checked settings, or every mistake in it at once. The one way in; the sections have modules of
their own.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from scalpels_exporter.catalog import ROOT_ALONE, Found, builtin_shelf, hosting_mistakes, user_shelf
from scalpels_exporter.config import rules, source
from scalpels_exporter.config.choices import by_default, choose
from scalpels_exporter.config.settings import Budgets, Chosen, Mistake, Mistakes, Settings
from scalpels_exporter.config.tree import Value
from scalpels_exporter.config.trust import Trust
from scalpels_exporter.programs.known import KNOWN
from scalpels_exporter.soundness import MOST_SERIES

DEFAULT_FILE = Path("/etc/scalpels/scalpels.yaml")
KEYS = ("programs", "tracers", "tracer_folders", "budgets", "histograms")
_MOST_FOLDERS = 20


def load(
    path: Path | None,
    *,
    builtin: Path | None = None,
    trust: Trust = ROOT_ALONE,
    default: Path = DEFAULT_FILE,
) -> Settings:
    """The settings in force with the file at `path`.

    None means the default file where it exists, else no file: every tracer as it is declared. `builtin` is the folder
    of the shipped stems, `trust` says who may write users' folders. Raises Mistakes with all that is wrong; a file
    that cannot be read or is no YAML is one mistake.
    """
    if path is None and _exists(default):
        path = default
    mistakes: list[Mistake] = []
    shelf = builtin_shelf(builtin)
    mistakes += shelf.mistakes
    if shelf.refusal:
        mistakes.append(Mistake("built-in tracers", 0, "", shelf.refusal))
    node = None if path is None else source.compose(path, source.read(path))
    keys = {} if node is None else Value(node, "", str(path), node.start_mark.line + 1, mistakes).section(KEYS)

    programs = rules.read(keys["programs"]) if "programs" in keys else ()
    budgets = _budgets(keys["budgets"]) if "budgets" in keys else Budgets()
    if "histograms" in keys:
        _histograms(keys["histograms"])
    found = dict(shelf.found)
    if "tracer_folders" in keys:
        _take_folders(keys["tracer_folders"], found, trust)
    mistakes += hosting_mistakes(found)
    tracers = _tracers(keys.get("tracers"), found, budgets, trust)
    if mistakes:
        # Some keys are looked at twice, hence the dict. The user's file comes first, in the order of its lines.
        once = dict.fromkeys(mistakes)
        raise Mistakes(sorted(once, key=lambda mistake: (mistake.file != str(path), mistake.file, mistake.line)))
    every = (*programs, *KNOWN)
    tracers = {name: replace(one, rules=every) if one.tracer.names_processes else one for name, one in tracers.items()}
    return Settings(_with_members(tracers), every, budgets, source="" if path is None else str(path))


def _with_members(tracers: dict[str, Chosen]) -> dict[str, Chosen]:
    """Each host with those who live in its worker: that is loaded anew when one of them is another one, not when it is
    switched on or off."""
    living = [replace(one, enabled=False, series=0) for one in tracers.values() if one.tracer.host]
    return {
        name: replace(one, members=tuple(member for member in living if member.tracer.host == name))
        for name, one in tracers.items()
    }


def _exists(default: Path) -> bool:
    try:
        return default.exists()
    except OSError as error:  # a folder that may not be entered: to go on without what stands in it would be a guess
        raise Mistakes([Mistake(str(default), 0, "", f"cannot be looked for: {error.strerror}")]) from None


def _budgets(section: Value) -> Budgets:
    keys = section.section(("overhead", "series"))
    overhead = keys["overhead"].number(above=0, most=1) if "overhead" in keys else None
    series = keys["series"].integer(1, MOST_SERIES) if "series" in keys else None
    plain = Budgets()
    return Budgets(overhead or plain.overhead, series or plain.series)


def _histograms(value: Value) -> None:
    chosen = value.text(("classic", "native", "both"))
    if chosen in ("native", "both"):
        value.mistake(f"expected classic, got {chosen}, which comes with the exposition in protobuf")


def _take_folders(section: Value, found: dict[str, Found], trust: Trust) -> None:
    """Adds what the users' folders hold to `found`."""
    items = section.items("folders")
    if items is not None and len(items) > _MOST_FOLDERS:
        section.mistake(f"expected at most {_MOST_FOLDERS} folders, got {len(items)}")
        return
    for item in items or []:
        folder = item.text()
        if folder is None:
            continue
        shelf = user_shelf(Path(folder), found, trust)
        if shelf.refusal:
            item.mistake(shelf.refusal)
        item.mistakes.extend(shelf.mistakes)
        found.update(shelf.found)


def _tracers(section: Value | None, found: dict[str, Found], budgets: Budgets, trust: Trust) -> dict[str, Chosen]:
    sections = section.section() if section is not None else {}
    chosen = {}
    for name, value in sections.items():
        one = choose(name, value, found, budgets, trust)
        if one is not None:
            chosen[name] = one
    for name, stem in found.items():
        if name not in sections:
            chosen[name] = by_default(stem, budgets)
    return dict(sorted(chosen.items()))
