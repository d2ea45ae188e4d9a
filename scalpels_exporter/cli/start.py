"""`scalpels start NAME`: asks the agent, waits until the tracer runs or cannot, and says which."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from scalpels_exporter.cli import client, outcome
from scalpels_exporter.cli.durations import duration

EXAMPLE = "sudo scalpels start fs --for 10m --reason 'slow image uploads'"

ENDS = ("running", "failed", "unsupported", "shed")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of the tracer")
    parser.add_argument("--for", dest="lease", metavar="DURATION", type=duration, help="stop by itself after it: 10m")
    outcome.add_arguments(parser)
    client.add_arguments(parser)


def run(args: Namespace) -> int:
    agent = client.from_arguments(args)
    said = agent.start(args.name, args.lease, args.reason)
    return outcome.told(agent, args.name, said, ENDS, args.wait)
