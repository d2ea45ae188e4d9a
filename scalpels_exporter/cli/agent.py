"""`scalpels agent`: the exporter-toolkit's flags → Options. What is wrong is said before anything starts."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence

from scalpels_exporter.agent import process
from scalpels_exporter.agent.options import Options
from scalpels_exporter.cli.files import absolute, add_config_argument
from scalpels_exporter.cli.main import LEVELS, version
from scalpels_exporter.config.load import load
from scalpels_exporter.config.settings import Mistake, Mistakes
from scalpels_exporter.log import FORMATS
from scalpels_exporter.web import webconfig, webfiles
from scalpels_exporter.web.address import UNIX, ListenProblem, parse

EXAMPLE = "scalpels agent --config.file=/etc/scalpels/scalpels.yaml --web.listen-address=127.0.0.1:10919"
LISTEN = ":10919"


def add_arguments(parser: ArgumentParser) -> None:
    add_config_argument(parser)
    parser.add_argument(
        "--web.listen-address",
        dest="listen",
        action="append",
        metavar="ADDRESS",
        help=f"HOST:PORT, :PORT or unix:/PATH; may be given several times (default: {LISTEN})",
    )
    parser.add_argument("--web.config.file", dest="web_config", metavar="FILE", type=absolute, help="TLS and passwords")
    parser.add_argument("--web.telemetry-path", dest="path", default="/metrics", metavar="PATH", help="of the metrics")
    parser.add_argument(
        "--web.socket",
        dest="socket",
        default="",
        metavar="PATH",
        help="control socket (default: /run/scalpels/agent.sock)",
    )
    parser.add_argument(
        "--log.level", dest="log_level", choices=LEVELS, default="info", help="least level that is logged"
    )
    parser.add_argument(
        "--log.format", dest="log_format", choices=FORMATS, default="logfmt", help="of the log on stderr"
    )
    parser.add_argument("--version", action="version", version=version())


def run(args: Namespace) -> int:
    listen = tuple(args.listen or [LISTEN])
    found = _of_flags(listen, args.path, args.socket)
    if args.web_config is not None:
        found += _of(lambda: webconfig.check(webfiles.read(str(args.web_config))))
    if found:
        # The agent would end here without a look at the configuration; read now, all that is wrong is said at once.
        raise Mistakes([*found, *_of(lambda: load(args.config))])
    return process.run(
        Options(
            config=args.config,
            listen=listen,
            web_config=args.web_config,
            telemetry_path=args.path,
            log_level=args.log_level,
            log_format=args.log_format,
            socket=args.socket,
        )
    )


def _of_flags(listen: Sequence[str], path: str, socket: str) -> list[Mistake]:
    found = []
    for address, flag in [*((a, "listen-address") for a in listen), (f"{UNIX}{socket}", "socket")]:
        try:
            if address != UNIX:
                parse(address)
        except ListenProblem as problem:
            found.append(Mistake(f"--web.{flag}", 0, "", str(problem)))
    if not path.startswith("/") or not path.isprintable() or any(c in path for c in " ?#"):
        found.append(Mistake("--web.telemetry-path", 0, "", f"expected a path such as /metrics, got {path!r}"))
    return found


def _of(read: Callable[[], object]) -> list[Mistake]:
    try:
        read()
    except Mistakes as mistakes:
        return mistakes.found
    return []
