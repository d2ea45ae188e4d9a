"""`scalpels check`: reads configuration files as the agent would, and says all that is wrong, or what they come to.

What only this host lacks for a script, such as the script itself, is a note: that one tracer would be unsupported.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from scalpels_exporter.cli.clean import clean
from scalpels_exporter.cli.exits import OK
from scalpels_exporter.cli.files import absolute, add_config_argument
from scalpels_exporter.config.load import load
from scalpels_exporter.config.settings import Mistake, Mistakes, Settings
from scalpels_exporter.needs import lacking_commands
from scalpels_exporter.web import webconfig, webfiles

EXAMPLE = "scalpels check --config.file scalpels.yaml --web.config.file web.yaml"


def add_arguments(parser: ArgumentParser) -> None:
    add_config_argument(parser)
    parser.add_argument("--web.config.file", dest="web_config", metavar="FILE", type=absolute, help="TLS and passwords")


def run(args: Namespace) -> int:
    good: list[str] = []
    notes: list[str] = []
    found: list[Mistake] = []
    try:
        settings = load(args.config)
        good.append(f"{settings.source or 'no file, so the defaults'}: {describe(settings)}")
        notes += _notes(settings)
    except Mistakes as mistakes:
        found += mistakes.found
    if args.web_config is not None:
        try:
            good.append(_of_web(args.web_config))
        except Mistakes as mistakes:
            found += mistakes.found
    if found:
        raise Mistakes(found)
    print("\n".join([*good, *notes]))
    return OK


def _notes(settings: Settings) -> list[str]:
    """What this host lacks now to run the commands that the file names."""
    return [
        f"note: tracers.{name}: {clean(lack.what)} ({clean(lack.cure)})"
        for name, chosen in sorted(settings.tracers.items())
        if not chosen.stem
        for lack in lacking_commands(chosen.tracer)
    ]


def describe(settings: Settings) -> str:
    """What the settings come to, on one line."""
    on = [name for name, chosen in sorted(settings.tracers.items()) if chosen.enabled]
    off = [name for name, chosen in sorted(settings.tracers.items()) if not chosen.enabled]
    rules = f"{len(settings.programs)} rules for programs"
    return "; ".join([f"good: {_named(on, 'on')}", *([_named(off, "off")] if off else []), rules])


def _named(names: list[str], state: str) -> str:
    tracers = "1 tracer" if len(names) == 1 else f"{len(names)} tracers"
    return f"{tracers} {state}" + (f" ({', '.join(names)})" if names else "")


def _of_web(path: Path) -> str:
    config = webconfig.check(webfiles.read(str(path)))
    users = f"{len(config.users)} user{'' if len(config.users) == 1 else 's'}"
    parts = ["TLS" if config.tls else "no TLS", users if config.users else "no passwords", *config.notes]
    return f"{path}: good: {'; '.join(parts)}"
