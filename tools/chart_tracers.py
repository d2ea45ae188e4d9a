"""Writes helm/scalpels-exporter/files/tracers.yaml: what a pod must be given for each tracer, from the declarations.

The chart's template adds up the capabilities of those that its values have on. `make update` runs it, and
tests/house compares. Knows nothing of Helm.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import yaml

from scalpels_exporter.catalog import find
from scalpels_exporter.declare import Bpf, Tracer
from scalpels_exporter.needs import for_a_unit, required

TABLE = Path(__file__).resolve().parent.parent / "helm" / "scalpels-exporter" / "files" / "tracers.yaml"
HEAD = "# Made by `make update` from the declarations in tracers/; not to be edited.\n"

# What the agent itself needs of root to make its process tree, whichever tracers are on.
OF_THE_AGENT = {
    "CAP_CHOWN": "gives the folder of the control socket to the agent's user",
    "CAP_KILL": "ends workers, which run as another user",
    "CAP_SETGID": "workers and the agent proper are users of their own",
    "CAP_SETPCAP": "empties the bounding set of each of them",
    "CAP_SETUID": "workers and the agent proper are users of their own",
}


def table() -> str:
    """The text of the file. Names of capabilities are Kubernetes', without CAP_."""
    every = {name: found.tracer for name, found in find().items()}
    content = {
        "agent": _kubernetes(OF_THE_AGENT),
        "tracers": {name: _row(tracer, every) for name, tracer in sorted(every.items())},
    }
    return HEAD + yaml.safe_dump(content, sort_keys=True, default_flow_style=None, width=120)


def _row(tracer: Tracer, every: dict[str, Tracer]) -> dict[str, object]:
    """Of a tracer with all that must run beside it."""
    together = [*required(tracer, every), tracer]
    together += [one for one in (every.get(t.host) for t in together) if one is not None and one not in together]
    return {
        "default": tracer.default,
        # A node has tracefs mounted where no other says so, and root alone may look into it.
        "capabilities": _kubernetes(for_a_unit(together, lambda: Path("/sys/kernel/tracing"))),
        "measures": any(isinstance(one.runs, Bpf) for one in together),
        "switches": [
            {"tracer": one.name, "switch": switch, "capabilities": _kubernetes(names)}
            for one in together
            for switch, names in sorted(one.needs.while_on.items())
        ],
    }


def _kubernetes(names: Iterable[str]) -> list[str]:
    return sorted(name.removeprefix("CAP_") for name in names)


def files() -> dict[Path, str]:
    return {TABLE: table()}


def main() -> int:
    """Exit status 0; says what has changed."""
    for path, text in files().items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            sys.stdout.write(f"{path.name} updated\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
