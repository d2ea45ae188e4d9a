"""Finds declarations: the built-in stems and those in users' folders, loaded by path and checked.

A folder is listed, nothing is registered. What a user's YAML adds is `config`'s business, and what makes a declaration
sound is `soundness`'. Loading a stem runs its Python, so a folder that others than root can change is not touched.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from scalpels_exporter.bpf.soundness import hosting_problems
from scalpels_exporter.config.parameters import shorten
from scalpels_exporter.config.settings import Mistake, Mistakes
from scalpels_exporter.config.trust import Trust
from scalpels_exporter.declare import Bpf, Command, Parser, Tracer
from scalpels_exporter.soundness import problems

ROOT_ALONE = Trust()
_MOST_STEMS = 500


@dataclass(frozen=True, slots=True)
class Found:
    """A sound declaration and the Python file that it stands in."""

    tracer: Tracer
    stem: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """What one folder holds."""

    found: dict[str, Found]
    mistakes: list[Mistake]  # of single stems
    refusal: str = ""  # why the folder as a whole was not touched


def builtin_folder() -> Path:
    """The folder of the shipped stems: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / "tracers"
    return inside if inside.is_dir() else package.parent / "tracers"


def find(folders: Iterable[Path] = (), builtin: Path | None = None, trust: Trust = ROOT_ALONE) -> dict[str, Found]:
    """Every tracer by name: the built-in ones, then those of `folders`, which may not replace any.

    Mistakes with everything that is wrong, one line each.
    """
    shelf = builtin_shelf(builtin)
    found, mistakes = dict(shelf.found), list(shelf.mistakes)
    for folder in folders:
        more = user_shelf(folder, found, trust)
        if more.refusal:
            mistakes.append(Mistake(str(folder), 0, "", more.refusal))
        found.update(more.found)
        mistakes += more.mistakes
    mistakes += hosting_mistakes(found)
    if mistakes:
        raise Mistakes(mistakes)
    return found


def hosting_mistakes(found: Mapping[str, Found]) -> list[Mistake]:
    """What is wrong with tracers that share a worker, once all are known."""
    tracers = {name: one.tracer for name, one in found.items()}
    return [Mistake(found[name].stem, 0, "TRACER", problem) for name, problem in hosting_problems(tracers)]


def builtin_shelf(folder: Path | None = None) -> Shelf:
    """The shipped stems, trusted as far as the package itself."""
    folder = folder or builtin_folder()
    return Shelf(*_load_all(folder)) if folder.is_dir() else Shelf({}, [], f"expected a folder, found none: {folder}")


def user_shelf(folder: Path, taken: dict[str, Found], trust: Trust = ROOT_ALONE) -> Shelf:
    """The stems of a user's folder; one with a name in `taken` is refused."""
    if not folder.is_absolute():
        return Shelf({}, [], f"expected an absolute path, got {folder}")
    refusal = trust.folder_problem(folder)
    if refusal:
        return Shelf({}, [], f"refused, because only root may be able to write there: {refusal}")
    if not folder.is_dir():
        return Shelf({}, [], f"expected a folder, found a file: {folder}")
    found, mistakes = _load_all(folder)
    for name in sorted(found.keys() & taken.keys()):
        there = found.pop(name).stem
        mistakes.append(Mistake(there, 0, "", f'the name "{name}" is taken by {taken[name].stem}; choose another'))
    return Shelf(found, mistakes)


def _load_all(folder: Path) -> tuple[dict[str, Found], list[Mistake]]:
    found: dict[str, Found] = {}
    mistakes: list[Mistake] = []
    stems = sorted(path for path in folder.glob("*.py") if path.name[0] not in "._")
    if len(stems) > _MOST_STEMS:
        return {}, [Mistake(str(folder), 0, "", f"expected at most {_MOST_STEMS} stems, found {len(stems)}")]
    for path in stems:
        try:
            found[path.stem] = Found(load(path), str(path))
        except Mistakes as exc:
            mistakes += exc.found
    return found, mistakes


def load(path: Path) -> Tracer:
    """The sound declaration in one stem. Mistakes for anything else, a failing import included."""
    file = str(path)
    if not path.is_file():
        raise Mistakes([Mistake(file, 0, "", "expected a Python file")])
    try:
        module = load_module(file)
    except (Exception, SystemExit) as exc:
        line, reason = _where(exc, file)
        raise Mistakes([Mistake(file, line, "", f"the stem cannot be loaded: {reason}")]) from None
    tracer = getattr(module, "TRACER", None)
    if not isinstance(tracer, Tracer):
        near = get_close_matches("TRACER", [name for name in vars(module) if not name.startswith("__")], 1, 0.7)
        there = f"a {type(tracer).__name__}" if tracer is not None else f"{near[0]} alone" if near else "none"
        raise Mistakes([Mistake(file, 0, "", f"expected TRACER = Tracer(…), found {there}")])
    wrong = problems(tracer)
    if not wrong:
        wrong = list(_of_stem(tracer, path, module))
    if wrong:
        raise Mistakes([Mistake(file, 0, "TRACER", problem) for problem in wrong])
    return tracer


def _of_stem(tracer: Tracer, path: Path, module: ModuleType) -> Iterable[str]:
    if tracer.name != path.stem:
        yield f'name: expected "{path.stem}", the name of its file, got "{tracer.name}"'
    runs = tracer.runs
    if isinstance(runs, Bpf | Parser):
        source = path.parent / (runs.source or f"{path.stem}.bpf.c")
        if not source.is_file():
            yield f"runs: expected the C source {source.name} beside the file, found none"
        if runs.companion and not callable(getattr(module, runs.companion, None)):
            yield f"runs: expected the companion {runs.companion} in the file, found none"
    elif not isinstance(runs, Command):
        if not callable(getattr(module, runs.function, None)):
            yield f"runs: expected the function {runs.function} in the file, found none"
    elif runs.argv[0].startswith("./"):
        script = path.parent / runs.argv[0]
        if not script.is_file():
            yield f"runs: expected {runs.argv[0]} beside the file, found none"
        elif not script.stat().st_mode & (0o111 if runs.privileged else 0o001):
            yield f"runs: {runs.argv[0]} cannot be executed by the user that runs it: chmod 755 {script}"


class _SourceAlone(SourceFileLoader):
    """Compiles the source each time: a cached .pyc is one more file to trust, and to write in users' folders."""

    def get_code(self, _fullname: str) -> CodeType | None:
        return self.source_to_code(self.get_data(self.path), self.path)


def load_module(stem: str) -> ModuleType:
    """The module of the file `stem`, run. Raises what the file raises.

    It stands in sys.modules only while it runs, which dataclasses in it need: nothing can import it by name.
    """
    name = f"_scalpels_stem_{Path(stem).stem}"
    spec = spec_from_file_location(name, stem, loader=_SourceAlone(name, stem))
    assert isinstance(spec, ModuleSpec)
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        sys.modules.pop(name, None)
    return module


def _where(exc: BaseException, file: str) -> tuple[int, str]:
    """The line in `file` that is to blame and the reason, on one line."""
    if isinstance(exc, SyntaxError):
        return (exc.lineno or 0) if exc.filename == file else 0, f"{type(exc).__name__}: {shorten(exc.msg, 200)}"
    frames = [frame.lineno or 0 for frame in traceback.extract_tb(exc.__traceback__) if frame.filename == file]
    return frames[-1] if frames else 0, f"{type(exc).__name__}: {shorten(str(exc), 200)}"
