"""Prometheus' rules as data, and the YAML of a file of them. Where they come from is others' business."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser
import yaml

# Where docs/runbooks is published, for whoever clicks in an alert, is the project's URL `Runbooks` in pyproject.toml.
# Without one it is a reserved name (RFC 2606), which leads nowhere; docs/install.md says how a site sets its own.
UNPUBLISHED = "https://scalpels-exporter.example/docs/runbooks"

# Of evaluation. Written down, because ten minutes are kept with it, and more often would be dearer for nothing.
INTERVAL = "1m"


@dataclass(frozen=True, slots=True)
class Recorded:
    name: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        return {
            "record": self.name,
            **({"labels": dict(self.labels)} if self.labels else {}),
            "expr": pretty(self.expr),
        }


@dataclass(frozen=True, slots=True)
class AlertRule:
    name: str
    expr: str
    lasts: str
    severity: str
    summary: str
    description: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        return {
            "alert": self.name,
            "for": self.lasts,
            "labels": {"severity": self.severity, **self.labels},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{runbooks()}/{self.name}.md",
            },
            "expr": pretty(self.expr),
        }


@cache
def runbooks() -> str:
    """The address of the folder of runbooks, without a slash at its end."""
    return published(tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"])


def published(project: Mapping[str, Any]) -> str:
    """The same, of what pyproject.toml says of a project."""
    address: str = project.get("urls", {}).get("Runbooks", UNPUBLISHED)
    return address.rstrip("/")


def pretty(expr: str) -> str:
    """The same query over as many lines as it needs. ValueError for what is no query."""
    text: str = promql_parser.parse(" ".join(expr.split())).prettify()
    return text


def file_text(source: str, groups: Iterable[tuple[str, Sequence[Recorded | AlertRule]]]) -> str:
    """A rules file of the groups that have rules; "" if none has any."""
    plain = [
        {"name": name, "interval": INTERVAL, "rules": [rule.plain() for rule in rules]}
        for name, rules in groups
        if rules
    ]
    if not plain:
        return ""
    body = yaml.dump({"groups": plain}, Dumper=_Readable, sort_keys=False, width=120, allow_unicode=True)
    return f"# Made by `make update` from {source}; not to be edited.\n{body}"


class _Readable(yaml.SafeDumper):
    """Queries over several lines stay so."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Readable.add_representer(str, _text)
