"""`scalpels reload`: the agent reads its files again, all or nothing; what is wrong is printed, one mistake a line."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from scalpels_exporter.cli import client
from scalpels_exporter.cli.exits import OK

EXAMPLE = "sudo scalpels reload"


def add_arguments(parser: ArgumentParser) -> None:
    client.add_arguments(parser)


def run(args: Namespace) -> int:
    print(client.from_arguments(args).reload())
    return OK
