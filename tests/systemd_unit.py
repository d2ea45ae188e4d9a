"""The systemd unit as data, and which system calls it leaves to the agent. Imported by name."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from configparser import RawConfigParser
from pathlib import Path

import pytest
from running import ROOT

UNIT = ROOT / "systemd" / "scalpels-exporter.service"


def service() -> dict[str, str]:
    """Its section [Service]. A key that stands there twice is an error."""
    parser = RawConfigParser(delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(UNIT.read_text())
    return dict(parser["Service"])


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60)


def allowed_calls() -> list[str]:
    """By SystemCallFilter=, its groups spelt out."""
    return sorted(set(_spelt_out(service()["SystemCallFilter"].split())))


def _spelt_out(names: list[str]) -> Iterator[str]:
    for name in names:
        if not name.startswith("@"):
            yield name
            continue
        lines = (line.strip() for line in analyze("syscall-filter", name).stdout.splitlines()[1:])
        yield from _spelt_out([line for line in lines if line and not line.startswith("#")])
