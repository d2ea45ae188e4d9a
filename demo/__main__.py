"""`python -m demo [--once]`: options, signals, the end. Exit status 1, with one line, when something is in the way."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from contextlib import ExitStack
from types import FrameType

import pytest

from demo.children import Trouble, must_be_free
from demo.leaving import folder_that_goes
from demo.story import Ports, Story


class Ended(BaseException):
    """Somebody wants it to end."""


def end(*_: int | FrameType | None) -> None:
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)  # a second Ctrl-C does not keep it from tidying up
    raise Ended


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--once", action="store_true", help="end when the alert has fired")
    parser.add_argument("--prometheus-port", type=int, default=9090, metavar="N")
    parser.add_argument("--agent-port", type=int, default=10919, metavar="N")
    parser.add_argument("--api-port", type=int, default=8774, metavar="N")
    parser.add_argument("--grafana-port", type=int, default=3000, metavar="N")
    return parser.parse_args()


def run(chosen: argparse.Namespace) -> None:
    ports = Ports(chosen.prometheus_port, chosen.agent_port, chosen.api_port, chosen.grafana_port)
    must_be_free({f"--{name}-port": getattr(ports, name) for name in ("prometheus", "agent", "api", "grafana")})
    with folder_that_goes() as folder, ExitStack() as stack:
        story = Story(stack, folder, ports)
        try:
            story.tell()
            if not chosen.once:
                story.say("this goes on until Ctrl-C; the dashboards have a past for three hours more")
                story.go_on()
        finally:
            story.say("everything ends")


def main() -> int:
    chosen = options()
    if os.geteuid() != 0:
        sys.stderr.write("demo: needs root, because the agent's tracers do: sudo make demo\n")
        return 1
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, end)
    try:
        run(chosen)
    except Ended:
        return 0
    except (Trouble, pytest.fail.Exception, pytest.skip.Exception) as trouble:  # the tests' servers say it as tests do
        sys.stderr.write(f"demo: {trouble}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
