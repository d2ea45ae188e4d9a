"""`scalpels VERB …`: finds the verb's module, parses its arguments, runs it inside the error boundary.

A verb's module has EXAMPLE, `add_arguments(parser)` and `run(args) -> exit status`. Only the module of the verb
that was typed is imported.
"""

from __future__ import annotations

import os
import sys
from argparse import SUPPRESS, ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import NoReturn, TextIO

from scalpels_exporter import __version__
from scalpels_exporter.cli.boundary import guarded
from scalpels_exporter.cli.exits import OK, USAGE

VERBS = {
    "agent": "run the agent: tracers become metrics on :10919",
    "list": "show every tracer of the running agent: state, why, cost",
    "start": "start a tracer, for good or for a while",
    "stop": "stop a tracer",
    "reload": "let the agent read its configuration again",
    "once": "run one tracer here, without an agent, and show what it exports",
    "check": "check configuration files, all mistakes at once",
    "doctor": "tell which tracers this host can run, and what mends the others",
}
LEVELS = ("debug", "info", "warn", "error")


class Parser(ArgumentParser):
    """One line for a wrong command line, instead of the whole usage before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """The console script `scalpels`; returns the exit status."""
    return _main(list(sys.argv[1:] if argv is None else argv))


def exporter() -> int:
    """The console script `scalpels-exporter`: `scalpels agent` by its other name."""
    return _main(["agent", *sys.argv[1:]], "scalpels-exporter")


def _main(words: list[str], program: str = "") -> int:
    # None where whoever started this has closed it.
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    name = program or (f"scalpels {words[0]}" if words and words[0] in VERBS else "scalpels")
    # Looked for here, because it also counts while the arguments are parsed.
    debug = "--log.level=debug" in words or ("--log.level", "debug") in pairwise(words)
    return guarded(name, lambda: _run(words, program), debug=debug)


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def _run(words: list[str], program: str) -> int:
    first = words[0] if words else ""
    try:
        if first in VERBS:
            module = import_module(f"scalpels_exporter.cli.{first}")
            parser = _parser(program or f"scalpels {first}", VERBS[first], module.EXAMPLE)
            module.add_arguments(parser)
            if "--log.level" not in parser._option_string_actions:
                parser.add_argument("--log.level", dest="log_level", choices=LEVELS, default="info", help=SUPPRESS)
            status: int = module.run(parser.parse_args(words[1:]))
            return status
        return _without_verb(words)
    except SystemExit as end:  # argparse, after it has printed
        return end.code if isinstance(end.code, int) else OK


def _parser(program: str, summary: str, example: str) -> Parser:
    return Parser(
        prog=program,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"example: {example}",
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _without_verb(words: list[str]) -> int:
    width = max(map(len, VERBS))
    parser = Parser(
        prog="scalpels",
        usage="scalpels VERB …   (scalpels VERB --help says more)",
        description="\n".join(f"  {verb:{width}}  {summary}" for verb, summary in VERBS.items()),
        epilog="example: sudo scalpels once system --for 5s",
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=version())
    if not words:
        parser.print_help(sys.stderr)
        return USAGE
    if not words[0].startswith("-"):
        near = get_close_matches(words[0], VERBS, 1)
        hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(VERBS)}"
        parser.error(f"no verb is called {words[0]!r}{hint}")
    parser.parse_args(words)
    return OK


def version() -> str:
    python = ".".join(map(str, sys.version_info[:3]))
    return f"scalpels {__version__} (Python {python})"
