"""The argument that names the configuration. Only names it: `config.load` reads, checks and knows the default file."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path


def add_config_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--config.file",
        dest="config",
        metavar="FILE",
        type=absolute,
        help="configuration (default: /etc/scalpels/scalpels.yaml if it exists)",
    )


def absolute(given: str) -> Path:
    """As it will still be found when the agent has left this folder."""
    return Path(given).absolute()
