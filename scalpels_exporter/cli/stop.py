"""`scalpels stop NAME`: asks the agent, and waits until the tracer's worker is gone."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from scalpels_exporter.cli import client, outcome

EXAMPLE = "sudo scalpels stop fs --reason 'measured enough'"

ENDS = ("stopped",)


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of the tracer")
    outcome.add_arguments(parser)
    client.add_arguments(parser)


def run(args: Namespace) -> int:
    agent = client.from_arguments(args)
    said = agent.stop(args.name, args.reason)
    return outcome.told(agent, args.name, said, ENDS, args.wait)
